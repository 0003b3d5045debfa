// In-place functions: values in every dtype, operands that share storage, version counters, refusals.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>
#include <functional>
#include <string>

using namespace weft;

namespace {

constexpr std::int64_t sizes[] = {1, 2, 15, 64, 1001, 70'001};

// Small whole numbers: every result below is exact in every dtype.
double first(std::int64_t i) { return static_cast<double>(i % 13 + 2); }
double second(std::int64_t i) { return static_cast<double>(i * 7 % 11 + 1); }

template <class T>
Tensor filled(const Shape& shape, double (*value)(std::int64_t)) {
  Tensor t = empty(shape, dtype_of<T>);
  const auto data = t.mutable_data<T>();
  for (std::int64_t i = 0; i < t.size(); ++i) data[static_cast<std::size_t>(i)] = static_cast<T>(value(i));
  return t;
}

// The first flat position where t is not f(position), -1 if there is none.
template <class T, class F>
std::int64_t first_difference(const Tensor& t, F f) {
  const auto data = t.data<T>();
  for (std::size_t i = 0; i < data.size(); ++i)
    if (!(data[i] == static_cast<T>(f(static_cast<std::int64_t>(i))))) return static_cast<std::int64_t>(i);
  return -1;
}

template <class F>
void at_one_and_two_threads(F f) {
  const int before = num_threads();
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    INFO(threads, " threads");
    f();
  }
  set_num_threads(before);
}

std::uint32_t version(const Tensor& t) { return t.impl()->storage->version.load(); }

struct Change {
  std::string name;
  std::function<void(Tensor&)> make;
};
// Everything that writes; the operand has the tensor's shape and dtype.
std::vector<Change> all_changes(const Tensor& operand) {
  return {{"fill_", [](Tensor& t) { t.fill_(3); }},
          {"zero_", [](Tensor& t) { t.zero_(); }},
          {"copy_", [operand](Tensor& t) { t.copy_(operand); }},
          {"add_", [operand](Tensor& t) { t.add_(operand); }},
          {"add_ scaled", [operand](Tensor& t) { t.add_(operand, 2); }},
          {"add_ number", [](Tensor& t) { t.add_(2); }},
          {"sub_", [operand](Tensor& t) { t.sub_(operand); }},
          {"sub_ number", [](Tensor& t) { t.sub_(2); }},
          {"mul_", [operand](Tensor& t) { t.mul_(operand); }},
          {"mul_ number", [](Tensor& t) { t.mul_(2); }},
          {"mutable_data", [](Tensor& t) { t.mutable_data<double>(); }}};
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE_TEMPLATE("every element changes, in every dtype", T, float, double, std::int64_t, std::uint8_t) {
  at_one_and_two_threads([] {
    for (const std::int64_t n : sizes) {
      INFO(n, " elements");
      const Tensor b = filled<T>({n}, second);
      const auto changed = [&](auto change, auto expected) {
        Tensor a = filled<T>({n}, first);
        Tensor& returned = change(a);
        return &returned == &a ? first_difference<T>(a, expected) : -2;
      };
      using I = std::int64_t;
      CHECK(changed([](Tensor& a) -> Tensor& { return a.fill_(9); }, [](I) { return 9.0; }) == -1);
      CHECK(changed([](Tensor& a) -> Tensor& { return a.zero_(); }, [](I) { return 0.0; }) == -1);
      CHECK(changed([&](Tensor& a) -> Tensor& { return a.copy_(b); }, second) == -1);
      CHECK(changed([&](Tensor& a) -> Tensor& { return a.add_(b); }, [](I i) { return first(i) + second(i); }) == -1);
      CHECK(changed([&](Tensor& a) -> Tensor& { return a.add_(b, 3); }, [](I i) { return first(i) + 3 * second(i); }) ==
            -1);
      CHECK(changed([&](Tensor& a) -> Tensor& { return a.add_(b, 0); }, first) == -1);
      CHECK(changed([](Tensor& a) -> Tensor& { return a.add_(5); }, [](I i) { return first(i) + 5; }) == -1);
      CHECK(changed([&](Tensor& a) -> Tensor& { return a.mul_(b); }, [](I i) { return first(i) * second(i); }) == -1);
      CHECK(changed([](Tensor& a) -> Tensor& { return a.mul_(4); }, [](I i) { return first(i) * 4; }) == -1);
      CHECK(first_difference<T>(b, second) == -1);  // the operand is only read
    }
  });
}

TEST_CASE_TEMPLATE("fractions and negative numbers", T, float, double) {
  for (const std::int64_t n : sizes) {
    const Tensor b = filled<T>({n}, second);
    Tensor a = filled<T>({n}, first);
    a.sub_(b).add_(b, -0.25).sub_(0.5).mul_(-1.5);
    CHECK(first_difference<T>(a, [](std::int64_t i) { return (first(i) - 1.25 * second(i) - 0.5) * -1.5; }) == -1);
  }
  Tensor special = ones({3}, dtype_of<T>);
  special.fill_(NAN);
  CHECK(std::isnan(special.at({2})));
  special.fill_(-INFINITY);
  CHECK(special.at({1}) == -INFINITY);
}

TEST_CASE("integers are exact beyond doubles, and may fall") {
  constexpr std::int64_t large = (std::int64_t{1} << 53) + 1;
  Tensor a = tensor({large, -large}, {2}, i64);
  const Tensor b = tensor({large, large}, {2}, i64);
  a.add_(b, 2).sub_(1);
  CHECK(a.data<std::int64_t>()[0] == 3 * large - 1);
  CHECK(a.data<std::int64_t>()[1] == large - 1);
  a.sub_(b);
  CHECK(a.data<std::int64_t>()[1] == -1);
  a.copy_(b).mul_(b.to(f64).to(i64).zero_().add_(-1));
  CHECK(a.data<std::int64_t>()[0] == -large);
}

TEST_CASE_TEMPLATE("an operand of one element counts for all", T, float, double, std::int64_t, std::uint8_t) {
  for (const Shape& one : {Shape{}, Shape{1}, Shape{1, 1, 1}}) {
    const Tensor three = full(one, 3, dtype_of<T>);
    for (const std::int64_t n : sizes) {
      const auto changed = [&](auto change, auto expected) {
        Tensor a = filled<T>({n, 1}, first);
        change(a);
        return first_difference<T>(a, expected);
      };
      CHECK(changed([&](Tensor& a) { a.copy_(three); }, [](std::int64_t) { return 3.0; }) == -1);
      CHECK(changed([&](Tensor& a) { a.add_(three); }, [](std::int64_t i) { return first(i) + 3; }) == -1);
      CHECK(changed([&](Tensor& a) { a.add_(three, 2); }, [](std::int64_t i) { return first(i) + 6; }) == -1);
      CHECK(changed([&](Tensor& a) { a.mul_(three); }, [](std::int64_t i) { return first(i) * 3; }) == -1);
    }
  }
}

TEST_CASE_TEMPLATE("an operand that is the tensor itself or shares its storage", T, float, double, std::int64_t,
                   std::uint8_t) {
  for (const std::int64_t n : sizes) {
    Tensor a = filled<T>({n}, first);
    const Tensor view = a.detach(), rows = reshape(a, {1, n});
    a.add_(a);
    CHECK(first_difference<T>(a, [](std::int64_t i) { return 2 * first(i); }) == -1);
    a.add_(view, 2);
    CHECK(first_difference<T>(view, [](std::int64_t i) { return 6 * first(i); }) == -1);
    a.copy_(a);
    CHECK(first_difference<T>(rows, [](std::int64_t i) { return 6 * first(i); }) == -1);
    a.fill_(3).mul_(view);
    CHECK(first_difference<T>(rows, [](std::int64_t) { return 9.0; }) == -1);
    Tensor flat = reshape(rows, {n});
    flat.zero_();
    CHECK(first_difference<T>(a, [](std::int64_t) { return 0.0; }) == -1);
  }
}

TEST_CASE("every change raises the version, and is caught by name where the tensor was saved") {
  Tensor x = parameter(tensor({1, 2}, {2}, f64));
  const Tensor operand = tensor({5, 7}, {2}, f64);
  for (const Change& change : all_changes(operand)) {
    INFO(change.name);
    // Of a leaf itself, and through another handle on its storage.
    for (const bool through_view : {false, true}) {
      Tensor w = parameter(tensor({3, 4}, {2}, f64));
      w.set_name("weight");
      const Tensor y = x * w;
      const std::uint32_t before = version(w), untouched = version(operand);
      {
        const NoGrad off;
        Tensor target = through_view ? reshape(w.detach(), {2, 1}) : w;
        Tensor fitting = reshape(operand, target.shape());
        for (const Change& same : all_changes(fitting))
          if (same.name == change.name) same.make(target);
      }
      CHECK(version(w) != before);
      CHECK(version(operand) == untouched);
      const std::string message = message_of([&] { sum(y).backward(); });
      CHECK(has(message, "backward of mul"));
      CHECK(has(message, "'weight'"));
      CHECK(has(message, "changed in place"));
    }
    // Of a saved output.
    Tensor square_root = sqrt(x);
    square_root.set_name("root");
    {
      const NoGrad off;
      change.make(square_root);
    }
    CHECK(has(message_of([&] { sum(square_root).backward(); }), "a saved output"));
    CHECK_FALSE(x.grad().defined());
  }
}

TEST_CASE("changes between recordings harm nobody") {
  Tensor w = parameter(tensor({3}, {1}, f64));
  double expected = 0;
  for (const Change& change : all_changes(tensor({5}, {1}, f64))) {
    const Tensor y = w * w;
    expected += 2 * w.item();
    y.backward();
    CHECK(w.grad().item() == expected);
    const NoGrad off;
    change.make(w);
  }
}

TEST_CASE("where gradients are recorded nothing is changed in place") {
  Tensor leaf = parameter(tensor({3, 4}, {2}, f64));
  Tensor computed = leaf * 2.0;
  for (const Change& change : all_changes(tensor({5, 7}, {2}, f64))) {
    INFO(change.name);
    for (Tensor* t : {&leaf, &computed}) {
      const double before = t->at({1});
      const std::uint32_t at = version(*t);
      CHECK(has(message_of([&] { change.make(*t); }), "in place"));
      CHECK(t->at({1}) == before);
      CHECK(version(*t) == at);
    }
  }
  // An operand whose gradient would be lost.
  Tensor constant = tensor({1, 2}, {2}, f64);
  const std::uint32_t at = version(constant);
  CHECK_THROWS_WITH_AS(constant.copy_(leaf), doctest::Contains("copy_: in place with an operand"), Error);
  CHECK_THROWS_WITH_AS(constant.add_(leaf), doctest::Contains("add_: in place with an operand"), Error);
  CHECK_THROWS_WITH_AS(constant.add_(computed, 2), doctest::Contains("requires a gradient"), Error);
  CHECK_THROWS_WITH_AS(constant.sub_(leaf), doctest::Contains("requires a gradient"), Error);
  CHECK_THROWS_WITH_AS(constant.mul_(computed), doctest::Contains("mul_: in place with an operand"), Error);
  CHECK(constant.at({1}) == 2);
  CHECK(version(constant) == at);
  const NoGrad off;
  constant.add_(leaf).mul_(computed);
  CHECK(constant.at({1}) == (2 + 4) * 8);
}

TEST_CASE("an operand that does not fit leaves values and version") {
  for (const DType dtype : {f32, f64, i64, u8}) {
    INFO(std::string(name_of(dtype)));
    Tensor t = tensor({1, 2, 3, 4}, {2, 2}, dtype);
    const std::uint32_t before = version(t);
    const Tensor other_dtype = ones({2, 2}, dtype == f32 ? f64 : f32);
    const Tensor one_of_other_dtype = ones({}, dtype == i64 ? u8 : i64);
    for (const Tensor& wrong : {other_dtype, one_of_other_dtype, ones({4}, dtype), ones({2}, dtype),
                                ones({1, 2}, dtype), ones({2, 2, 2}, dtype), ones({0}, dtype), Tensor()}) {
      CHECK_THROWS_AS(t.copy_(wrong), Error);
      CHECK_THROWS_AS(t.add_(wrong), Error);
      CHECK_THROWS_AS(t.add_(wrong, 2), Error);
      CHECK_THROWS_AS(t.mul_(wrong), Error);
    }
    if (!is_floating(dtype))
      for (const double bad : {static_cast<double>(NAN), 1e300}) {
        CHECK_THROWS_AS(t.fill_(bad), Error);
        CHECK_THROWS_AS(t.add_(bad), Error);
        CHECK_THROWS_AS(t.mul_(bad), Error);
        CHECK_THROWS_AS(t.add_(t, bad), Error);
      }
    CHECK(version(t) == before);
    for (std::int64_t i = 0; i < 4; ++i) CHECK(t.at({i / 2, i % 2}) == static_cast<double>(i + 1));
  }
  Tensor none = zeros({0, 3});
  CHECK_NOTHROW(none.add_(none).mul_(2).copy_(scalar(1)).fill_(1));
  CHECK_THROWS_AS(none.add_(ones({0, 2})), Error);
  Tensor undefined;
  CHECK_THROWS_AS(undefined.fill_(1), Error);
  CHECK_THROWS_AS(undefined.add_(1), Error);
}

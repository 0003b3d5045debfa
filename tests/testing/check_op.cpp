// check_op lets what is right pass, and names each kind of mistake.
#include <doctest/doctest.h>
#include <weft/testing/check_op.hpp>

#include <string>
#include <string_view>
#include <thread>

#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/observer.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;
using testing::check_op;
using testing::OpRow;

namespace {

// What can be wrong with a product of two tensors.
enum class Mistake {
  none,
  value,         // 1 part in a million more
  tail,          // the last of many elements is 0
  integers,      // right up to 3
  nan,           // a nan becomes 0
  input,         // the second operand is changed
  odd_sizes,     // wrong where the last axis has 5 elements
  mixed,         // f32 beside f64 is taken
  message,       // of several lines
  sign,          // of the first gradient
  element,       // one element of a gradient is 0
  second_order,  // a gradient of a gradient is missing
  f32_gradient,  // of two digits
  alone,         // wrong where only the first gradient is wanted
  twice,         // wrong where both operands are one tensor
  saved,         // what was saved is not connected
  unchecked,     // what was saved may be changed without a word
  two_threads,   // other bits on two threads
  broadcast,     // the second operand is repeated in vain, by its mean
  elsewhere,     // on another thread than the first
  history,       // where both operands were computed
  recorded,      // the recorded gradient of large inputs is another
  run_again,     // another gradient where a checkpoint's backward runs it again
};

Tensor with_element(const Tensor& t, std::int64_t i, double value) {
  Tensor copy = t.detach().clone();
  if (i < t.size()) {
    if (t.dtype() == f64) copy.mutable_data<double>()[static_cast<std::size_t>(i)] = value;
    if (t.dtype() == f32) copy.mutable_data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(value);
  }
  return copy;
}

const std::thread::id first_thread = std::this_thread::get_id();

// Whether the backward of a checkpoint runs on this thread.
thread_local bool in_checkpoint = false;
class WatchCheckpoints : public Observer {
 public:
  void before(const OpCall& call) override { in_checkpoint |= is_one(call); }
  void after(const OpCall& call) override { in_checkpoint &= !is_one(call); }

 private:
  static bool is_one(const OpCall& call) {
    return call.pass() == Pass::backward && call.op() == std::string_view("checkpoint");
  }
};

struct Product : Op<Product> {
  Mistake mistake;
  Tensor unseen = {};  // of Mistake::unchecked
  bool same = false;
  explicit Product(Mistake m) : mistake(m) {}
  static constexpr const char* name = "product";

  Tensor forward(Context& ctx, const Tensor& a, const Tensor& b) {
    if (mistake != Mistake::unchecked) ctx.save(a), ctx.save(b);
    if (mistake == Mistake::unchecked) ctx.save(a), unseen = b.detach();
    same = a.impl() == b.impl();
    Tensor y = mistake == Mistake::mixed ? a.to(f64) * b.to(f64) : a * b;
    if (mistake == Mistake::value) y = y * (1 + 1e-6);
    if (mistake == Mistake::tail && y.size() > 1000) y = with_element(y, y.size() - 1, 0);
    if (mistake == Mistake::integers && !is_floating(y.dtype())) y = minimum(y, 3);
    if (mistake == Mistake::nan && is_floating(y.dtype())) y = where(isnan(y), 0.0, y);
    if (mistake == Mistake::input && is_floating(b.dtype()) && b.size() > 0) Tensor(b).fill_(0);
    if (mistake == Mistake::odd_sizes && y.rank() > 0 && y.size(-1) == 5) y = 2.0 * y;
    if (mistake == Mistake::elsewhere && std::this_thread::get_id() != first_thread) y = 2.0 * y;
    if (mistake == Mistake::history && !a.is_leaf() && !b.is_leaf() && y.dtype() == f64) y = 2.0 * y;
    if (mistake == Mistake::two_threads && num_threads() == 2) y = y * (1 + 1e-15);
    return y;
  }
  Tensors backward(Context& ctx, const Tensor& g) {
    Tensor a = ctx.saved(0), b = mistake == Mistake::unchecked ? unseen : ctx.saved(1);
    if (mistake == Mistake::saved) b = b.detach();
    Tensor da = g * b, db = g * a;
    if (mistake == Mistake::sign) da = -da;
    if (mistake == Mistake::run_again && in_checkpoint) da = 2.0 * da;
    if (mistake == Mistake::element) da = da * with_element(ones_like(da), 17, 0);
    if (mistake == Mistake::second_order) da = g.detach() * b;
    if (mistake == Mistake::f32_gradient && g.dtype() == f32) da = da * 1.01;
    if (mistake == Mistake::alone && !ctx.needs(1)) da = 2.0 * da;
    if (mistake == Mistake::twice && same) da = 2.0 * da;
    if (mistake == Mistake::recorded && grad_enabled() && g.size() > 1000) da = 2.0 * da;
    return {da, db};
  }
};

OpRow row_of(Mistake mistake) {
  return {.name = "product",
          .function = testing::one([mistake](const Tensors& in) -> Tensor {
            if (mistake == Mistake::message && in[0].dtype() != in[1].dtype()) fail("product: got f32\nand f64");
            if (mistake == Mistake::broadcast && in[1].rank() < in[0].rank()) return in[0] * mean(in[1]);
            return apply(Product(mistake), in[0], in[1]);
          }),
          .cases = testing::binary_cases(),
          .large = {{{{70'001}}, {{70'001}}}},
          .reference = testing::naive([](const testing::Arrays& in) {
            return testing::indexed(testing::broadcast(in),
                                    [&](const testing::Index& i) { return element(in[0], i) * element(in[1], i); });
          }),
          .elementwise = true,
          .integers = true};
}

std::string message_of(Mistake mistake) {
  WatchCheckpoints watch;
  const Observe observe(watch);
  return check_op(row_of(mistake)).message;
}

}  // namespace

TEST_CASE("what is right passes, and what was looked at is listed") {
  const testing::CheckResult result = check_op(row_of(Mistake::none));
  CHECK_MESSAGE(result.ok, result.message);
  CHECK(result.message.empty());
  CHECK(result.max_error == 0);
  CHECK(result.f32_error > 0);
  CHECK(result.f32_error < 1e-7);
  CHECK(result.checked.size() == 15);
}

TEST_CASE("each kind of mistake is named") {
  const std::pair<Mistake, const char*> mistakes[] = {
      {Mistake::value, "values of product, f64 {3, 4} f64 {3, 4}: element 0"},
      {Mistake::tail, "values of large inputs of product, f64 {70001} f64 {70001}: element 70000 is 0"},
      {Mistake::integers, "integers of product"},
      {Mistake::nan, "non-finite values of product"},
      {Mistake::input, "input 1 was changed"},
      {Mistake::odd_sizes, "values of random sizes, seed 1 of product"},
      {Mistake::mixed, "f32 beside f64 was accepted"},
      {Mistake::message, "the error has several lines"},
      {Mistake::sign, "gradients to order 3 of product"},
      {Mistake::element, "gradients"},
      {Mistake::second_order, "gradients to order 3 of product"},
      {Mistake::f32_gradient, "f32 gradients of product"},
      {Mistake::alone, "gradients of some of the inputs of product"},
      {Mistake::twice, "one tensor given twice of product"},
      {Mistake::saved, "gradients to order 3 of product"},
      {Mistake::two_threads, "other bits on two threads than on one"},
      {Mistake::broadcast, "values of product, f64 {3, 4} f64 {4}"},
      {Mistake::elsewhere, "several threads at once of product"},
      {Mistake::history, "inputs that an op made of product"},
      {Mistake::recorded, "recorded gradient 0"},
      {Mistake::run_again, "under checkpoint"},
  };
  for (const auto& [mistake, text] : mistakes) {
    const std::string message = message_of(mistake);
    INFO(message);
    CHECK_MESSAGE(message.find(text) != std::string::npos, "expected: ", text);
    CHECK(message.rfind("check_op: ", 0) == 0);
  }
}

TEST_CASE("a row that can be drawn is tried along other axes") {
  const auto along = [](int axis, int taken) {
    return OpRow{.name = "total",
                 .variant = "axis " + std::to_string(axis),
                 .function = testing::one([=](const Tensors& in) { return sum(in[0], taken); }),
                 .cases = {{{{2, 3, 4}}}},
                 .reference = testing::naive([=](const testing::Arrays& in) {
                   return testing::reduced(in[0], axis, false, [](const std::vector<double>& v) {
                     double total = 0;
                     for (const double x : v) total += x;
                     return total;
                   });
                 })};
  };
  OpRow row = along(0, 0);
  row.drawn = [=](const OpRow&, std::mt19937_64& bits) {
    const int axis = static_cast<int>(bits() % 3);
    return along(axis, axis);
  };
  CHECK_MESSAGE(check_op(row).ok, check_op(row).message);
  row.drawn = [=](const OpRow&, std::mt19937_64& bits) {
    const int axis = static_cast<int>(bits() % 3);
    return along(axis, axis == 1 ? 2 : axis);
  };
  CHECK(check_op(row).message.find("values of total (axis 1), f64 {2, 3, 4}") != std::string::npos);
  CHECK(check_op(row, {.draws = 0}).ok);
}

TEST_CASE("options leave out what they say") {
  CHECK(check_op(row_of(Mistake::second_order), {.order = 1}).ok);
  CHECK(check_op(row_of(Mistake::unchecked), {.order = 1}).message.find("inputs changed in place of product") !=
        std::string::npos);
  CHECK(check_op(row_of(Mistake::tail), {.large = false}).ok);
  CHECK(check_op(row_of(Mistake::odd_sizes), {.draws = 0}).ok);
  CHECK(check_op(row_of(Mistake::recorded), {.repeat = false}).ok);
}

TEST_CASE("a row without what is needed is an error") {
  CHECK_THROWS_WITH_AS(check_op({.name = "empty"}), doctest::Contains("\"empty\" needs a function"), Error);
}

// Values of ops that the op table says nothing of: beside numbers, of masks, at the ends of what f32 holds.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("numbers beside integers") {
  const Tensor bytes = tensor({0, 5, 200}, {3}, u8), whole = tensor({-3, 5, 200}, {3}, i64);
  CHECK(allclose(clamp(bytes, -1, 300), bytes, 0, 0));
  CHECK(allclose(clamp(whole, 0, infinity), tensor({0, 5, 200}, {3}, i64), 0, 0));
  CHECK(allclose(clamp(whole, 0.5, 5.5), tensor({1, 5, 5}, {3}, i64), 0, 0));
  CHECK(allclose(less(whole, 5.5), tensor({1, 1, 0}, {3}, u8), 0, 0));
  CHECK(allclose(equal(whole, 4.5), tensor({0, 0, 0}, {3}, u8), 0, 0));
  CHECK(allclose(greater(bytes, -1), tensor({1, 1, 1}, {3}, u8), 0, 0));
  CHECK(allclose(bytes - 1.0, tensor({255, 4, 199}, {3}, u8), 0, 0));
  for (const auto& f : std::initializer_list<std::function<Tensor()>>{
           [&] { return whole * 0.5; }, [&] { return bytes + 300.0; }, [&] { return where(bytes, whole, 0.7); }})
    CHECK_THROWS_WITH_AS(f(), doctest::Contains("needs a whole number"), Error);
}

TEST_CASE("allclose tells infinities and neighbouring integers apart") {
  const Tensor one = tensor({1.0}, {1}), top = tensor({infinity}, {1});
  CHECK_FALSE(allclose(one, top));
  CHECK_FALSE(allclose(top, -top));
  CHECK(allclose(top, top));
  const std::int64_t large = std::int64_t{1} << 53;
  CHECK_FALSE(allclose(tensor({large}, {1}, i64), tensor({large + 1}, {1}, i64), 0, 0));
}

TEST_CASE("where and comparisons broadcast along rows of every length") {
  for (const std::int64_t n : {1, 15, 47, 48, 255, 256, 257, 700}) {
    const Tensor mask = randint(0, 2, {5, 1}).to(u8), row = randint(0, 3, {n}), whole = randint(0, 3, {5, n});
    for (const DType dtype : {f32, f64, i64, u8}) {
      const Tensor a = row.to(dtype), b = whole.to(dtype);
      const Tensor chosen = where(mask, a, b), same = equal(a, b), small = b < 1.0;
      bool right = true;
      for (std::int64_t i = 0; i < 5; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          right = right && chosen.at({i, j}) == (mask.at({i, 0}) != 0 ? row.at({j}) : whole.at({i, j}));
          right = right && same.at({i, j}) == (row.at({j}) == whole.at({i, j}) ? 1 : 0);
          right = right && small.at({i, j}) == (whole.at({i, j}) < 1 ? 1 : 0);
        }
      CHECK_MESSAGE(right, name_of(dtype), " ", n);
    }
  }
}

TEST_CASE("f32 exp, erf and pow beside the C library in double") {
  const Tensor x = linspace(-88, 88.7, 20001);
  const Tensor up = exp(x), bent = erf(x / 20.0), power = pow(full({20001}, 2.5), x);
  // Compared one by one: a maximum would pass over nan.
  std::int64_t far[3] = {};
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double v = static_cast<double>(x.data<float>()[static_cast<std::size_t>(i)]);
    const auto is_near = [&](const Tensor& got, double exact, double tolerance) {
      const auto value = static_cast<double>(got.data<float>()[static_cast<std::size_t>(i)]);
      return exact == 0 ? value == 0 : std::abs(value / exact - 1) < tolerance;
    };
    if (v > -87) far[0] += is_near(up, std::exp(v), 4e-7) ? 0 : 1;
    far[1] += is_near(bent, std::erf(static_cast<double>(static_cast<float>(v) / 20.0F)), 4e-7) ? 0 : 1;
    far[2] += is_near(power, std::pow(2.5, v), 2e-7) ? 0 : 1;
  }
  for (const std::int64_t count : far) CHECK(count == 0);
}

TEST_CASE("no value of pow depends on its neighbours") {
  Tensor base = full({16}, 7.7), exponent = full({16}, 40.3);
  const float alone = pow(base, exponent).data<float>()[0];
  base.mutable_data<float>()[9] = 0;
  CHECK(pow(base, exponent).data<float>()[0] == alone);
}

TEST_CASE("sums of long columns keep their digits") {
  const Tensor x = zeros({1'000'000, 2});
  CHECK(std::abs(sum(softmax(x, 0)).to(f64).item() / 2 - 1) < 1e-6);
  CHECK(allclose(log_softmax(x, 0), full({1'000'000, 2}, -std::log(1e6)), 1e-6));
  CHECK(allclose(sum(zeros({0, 20'000}), 0), zeros({20'000})));
  CHECK(sum(ones({2, 3, 20'000}), 1).at({1, 19'999}) == 3);
}

TEST_CASE("a fused function clamps as clamp does, and may assign") {
  const Tensor x = parameter(tensor({-2, -1, 0.5, 1, 3, std::nan("")}, {6}, f64));
  const auto f = fused([](auto a) {
    auto b = clamp(a, -1, 1);
    b *= a;
    b += 2;
    b -= a;
    return b /= 4;
  });
  const Tensor expected = (clamp(x, -1, 1) * x + 2 - x) / 4;
  const Tensor y = f(x);
  const Tensor wanted = grad(sum(expected), {x})[0], got = grad(sum(y), {x})[0];
  for (int i = 0; i < 5; ++i) {
    CHECK(y.at({i}) == expected.at({i}));
    CHECK(got.at({i}) == wanted.at({i}));
  }
  CHECK(std::isnan(y.at({5})));
  CHECK_THROWS_AS(fused([](auto a) { return clamp(a, 1, 0); }), Error);
}

TEST_CASE("comparisons by their signs, numbers on both sides") {
  const Tensor x = tensor({1, 2, 3}, {3}), two = full({3}, 2);
  const auto is = [](const Tensor& mask, int a, int b, int c) {
    return allclose(mask.to(f32), tensor({a, b, c}, {3}));
  };
  CHECK(is(x <= two, 1, 1, 0));
  CHECK(is(x >= two, 0, 1, 1));
  CHECK(is(x <= 2, 1, 1, 0));
  CHECK(is(x >= 2, 0, 1, 1));
  CHECK(is(2 < x, 0, 0, 1));
  CHECK(is(2 > x, 1, 0, 0));
  CHECK(is(2 <= x, 0, 1, 1));
  CHECK(is(2 >= x, 1, 1, 0));
}

TEST_CASE("maximum, minimum and pow of a number and a tensor") {
  const Tensor x = parameter(tensor({-1, 0, 2}, {3}, f64));
  CHECK(allclose(maximum(x, 0), tensor({0, 0, 2}, {3}, f64)));
  CHECK(allclose(minimum(1, x), tensor({-1, 0, 1}, {3}, f64)));
  CHECK(allclose(grad(sum(maximum(0.0, x)), {x})[0], tensor({0, 0.5, 1}, {3}, f64)));
  CHECK(allclose(pow(2, x), tensor({0.5, 1, 4}, {3}, f64)));
  CHECK(grad(sum(pow(2, x)), {x})[0].at({1}) == doctest::Approx(std::log(2.0)));
  CHECK(maximum(tensor({1, 5}, {2}, i64), 3).data<std::int64_t>()[0] == 3);
  CHECK_THROWS_AS(maximum(tensor({1, 5}, {2}, i64), 0.5), Error);
}

TEST_CASE("strides of pooling: a number or two") {
  const Tensor x = ones({1, 6, 6, 1});
  CHECK(max_pool2d(x, {.kernel = 2, .stride = {2, 1}}).shape() == Shape{1, 3, 5, 1});
  CHECK(avg_pool2d(x, {.kernel = 2, .stride = std::size_t{1}}).shape() == Shape{1, 5, 5, 1});
  CHECK(max_pool2d(x, {.kernel = {2, 3}}).shape() == Shape{1, 3, 2, 1});
}

TEST_CASE("what is no function of values is refused once, when compiled") {
  static_assert(detail::count_arguments<decltype([](auto, auto) { return 1.0; })>() == 2);
  static_assert(detail::count_arguments<decltype([](const Tensor& x) { return x; })>() == 0);
}

TEST_CASE("slopes at special values") {
  const Tensor a = parameter(tensor({infinity, 1.0, not_a_number, 2.0}, {2, 2}));
  sum(logsumexp(a, 1)).backward();
  CHECK(std::isnan(a.grad().at({0, 0})));
  CHECK(a.grad().at({0, 1}) == 0.0);
  CHECK(std::isnan(a.grad().at({1, 1})));
  const Tensor b = parameter(tensor({0.0, 2.0}, {2}));
  sum(pow(b, zeros({2}))).backward();
  CHECK(allclose(b.grad(), zeros({2})));
  CHECK(mean(ones({49}, f64)).item() == 1.0);
  const Tensor both = fused([](auto x) { return x / 0.0 + x / -0.0; })(ones({1}));
  CHECK(std::isnan(both.item()));
}

TEST_CASE("masks give numbers") {
  const Tensor hits = equal(tensor({1, 2, 3, 4}), tensor({1, 0, 3, 4}));
  CHECK(mean(hits).item() == 0.75);
  CHECK(mean(hits).dtype() == f32);
  CHECK(sum(hits).item() == 3);
  CHECK(allclose(mean(reshape(hits, {2, 2}), 0), tensor({1.0, 0.5})));
  CHECK_THROWS_AS(mean(tensor({1, 2}, i64)), Error);
  CHECK(allclose(where(hits, 1.0, -1.0), tensor({1, -1, 1, 1})));
  CHECK(where(hits, 1.0, 0.0, f64).dtype() == f64);
}

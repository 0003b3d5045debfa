// Sorting and running sums and products at their edges: not_a_number, ties, zeros, long axes.
#include <doctest/doctest.h>
#include <tests/support/array.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;
using Values = std::vector<double>;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(),
                 infinity = std::numeric_limits<double>::infinity();

Values of(const Tensor& t) { return test::values_of(t); }

// The gradient of the sum of f's result.
template <class F>
Values slopes(const Tensor& x, F f) {
  const Tensor leaf = parameter(x.clone());
  return of(grad(sum(f(leaf)), {leaf})[0]);
}

}  // namespace

TEST_CASE("a nan is larger than all numbers, and equal values keep their order") {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = tensor({2, not_a_number, -0.0, infinity, 0, -infinity, not_a_number, 2}, dtype);
    CHECK(of(argsort(x)) == Values{5, 2, 4, 0, 7, 3, 1, 6});
    CHECK(of(argsort(x, 0, true)) == Values{1, 6, 3, 0, 7, 2, 4, 5});
    CHECK(of(topk(x, 4).indices) == Values{1, 6, 3, 0});
    CHECK(of(topk(x, 3, 0, false).indices) == Values{5, 2, 4});
    CHECK(std::signbit(sort(x).values.at({1})));
    CHECK(!std::signbit(sort(x).values.at({2})));
  }
  const Tensor minus_nan = tensor({-not_a_number, 1.0}, f64);
  CHECK(of(argsort(minus_nan)) == Values{1, 0});
}

TEST_CASE("integers at the ends of their range are in order") {
  const std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  CHECK(of(argsort(tensor({most, std::int64_t{0}, least, std::int64_t{-1}, most - 1}, {5}, i64))) ==
        Values{2, 3, 1, 4, 0});
  CHECK(of(argsort(tensor({255, 0, 128, 127}, {4}, u8))) == Values{1, 3, 2, 0});
}

TEST_CASE("median and quantile: a nan wins, and of two in the middle the lower") {
  const Tensor x = tensor({{4, 1, 3, 2}, {1, not_a_number, 0, 2}}, f64);
  CHECK(median(x).at({0}) == 2);
  CHECK(std::isnan(median(x).at({1})));
  CHECK(std::isnan(quantile(x, 0).at({1})));
  CHECK(quantile(x, 0.5).at({0}) == 2.5);
  CHECK(quantile(tensor({1, infinity}, f64), 1).item() == infinity);
  CHECK(median(tensor({7, 3}, i64)).dtype() == i64);
}

TEST_CASE("the gradient goes to the element that was chosen") {
  const Tensor ties = tensor({2, 5, 5, 1, 5}, f64);
  CHECK(slopes(ties, [](const Tensor& x) { return topk(x, 1).values; }) == Values{0, 1, 0, 0, 0});
  CHECK(slopes(ties, [](const Tensor& x) { return topk(x, 2).values; }) == Values{0, 1, 1, 0, 0});
  CHECK(slopes(ties, [](const Tensor& x) { return median(x); }) == Values{0, 1, 0, 0, 0});
  CHECK(slopes(tensor({1, not_a_number, 3, not_a_number}, f64), [](const Tensor& x) { return median(x); }) ==
        Values{0, 1, 0, 0});
  CHECK(slopes(ties, [](const Tensor& x) { return quantile(x, 0.125); }) == Values{0.5, 0, 0, 0.5, 0});
  CHECK(slopes(ties, [](const Tensor& x) { return sort(x).values * arange(5, f64); }) == Values{1, 2, 3, 0, 4});
}

TEST_CASE("the gradient of cumprod beside zeros, to third order") {
  for (const Values& values : {Values{0}, {2, 0, 3, 5}, {0, 3, 0, -2}, {2, -1, 0, 0, 4}, {0, 0, 0}}) {
    const auto checked = gradcheck([](const Tensor& x) { return cumprod(x, 0); }, tensor(values, f64), {.order = 3});
    CHECK_MESSAGE(checked.ok, checked.message);
  }
  CHECK(slopes(tensor({2, 0, 3}, f64), [](const Tensor& x) { return cumprod(x, 0); }) == Values{1, 8, 0});
}

TEST_CASE("running sums of f32 keep their digits along long axes") {
  const Tensor x = full({1'000'000, 2}, 0.1);
  for (const Tensor& y : {cumsum(x, 0), cumsum(reshape(x, {2, 1'000'000}), 1)})
    CHECK(std::abs(max(y).item() / (1e6 * static_cast<double>(0.1F)) - 1) < 1e-7);
  CHECK(of(cumprod(tensor({1e30, 1e30, 1e-30}), 0))[2] == doctest::Approx(1e30));
}

TEST_CASE("running sums of bytes are i64") {
  const Tensor x = full({3}, 200, u8);
  CHECK(cumsum(x, 0).dtype() == i64);
  CHECK(of(cumsum(x, 0)) == Values{200, 400, 600});
  CHECK(of(cumprod(x, 0)) == Values{200, 40'000, 8'000'000});
}

TEST_CASE("long rows among many are sorted on any number of threads") {
  manual_seed(3);
  const Tensor x = randn({7, 20'011});
  const Ordered along = sort(x, 1), across = sort(transpose(x), 0);
  CHECK(test::difference(test::array_of(transpose(across.values)), test::array_of(along.values), 0) == "");
  CHECK(test::difference(test::array_of(transpose(across.indices)), test::array_of(along.indices), 0) == "");
  CHECK(test::difference(test::array_of(topk(x, 300).values), test::array_of(slice(sort(x, 1, true).values, 1, 0, 300)),
                         0) == "");
  CHECK(test::difference(test::array_of(topk(x, 9'000).values),
                         test::array_of(slice(sort(x, 1, true).values, 1, 0, 9'000)), 0) == "");
}

TEST_CASE("what is put, filled or repeated stands apart from what was there") {
  const Tensor x = parameter(tensor({1, 2, 3, 4}));
  const Tensor y = slice_put(x, 0, 1, 3, scalar(9));
  CHECK(of(y) == Values{1, 9, 9, 4});
  CHECK(of(x) == Values{1, 2, 3, 4});
  CHECK(slopes(x, [](const Tensor& t) { return slice_put(t, 0, 0, 4, scalar(7), 3); }) == Values{0, 1, 1, 0});
  CHECK(of(masked_fill(tensor({not_a_number, 1.0}), tensor({1, 0}, u8), 3)) == Values{3, 1});
  CHECK(nonzero(scalar(3)).shape() == Shape{1, 0});
  CHECK(nonzero(scalar(0)).shape() == Shape{0, 0});
  CHECK(of(nonzero(tensor({0.0, not_a_number, -0.0, 2.0}))) == Values{1, 3});
  CHECK(of(tril(tensor({{1, 2}, {3, 4}}), std::numeric_limits<std::int64_t>::max())) == Values{1, 2, 3, 4});
  CHECK(of(triu(tensor({{1, not_a_number}, {not_a_number, 4}}), std::numeric_limits<std::int64_t>::max())) ==
        Values{0, 0, 0, 0});
}

// Making and printing tensors, and the bridge to xtensor.
#include <doctest/doctest.h>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/xtensor.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <sstream>
#include <xtensor/xarray.hpp>

using namespace weft;

namespace {

std::vector<double> values(const Tensor& t) {
  std::vector<double> out;
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    for (auto v : t.data<decltype(zero)>()) out.push_back(static_cast<double>(v));
  });
  return out;
}
std::string printed(const Tensor& t) {
  std::ostringstream out;
  out << t;
  return out.str();
}
using Values = std::vector<double>;

}  // namespace

TEST_CASE("sizes by index, counted from the end too") {
  const Tensor t = zeros({2, 3});
  CHECK(t.shape()[1] == 3);
  CHECK(t.shape()[-1] == 3);
  CHECK(t.shape()[-2] == 2);
  CHECK_THROWS_AS(t.shape()[2], Error);
  CHECK_THROWS_AS(t.shape()[-3], Error);
  CHECK_THROWS_AS(scalar(1).shape()[0], Error);
}

TEST_CASE("tensors from values, constants and ranges") {
  CHECK(values(tensor({1, 2.5, -3, 4}, {2, 2})) == Values{1, 2.5, -3, 4});
  CHECK(tensor({1, 2}, {2}).dtype() == f32);
  CHECK(tensor({(std::int64_t{1} << 53) + 1}, {1}, i64).data<std::int64_t>()[0] == (std::int64_t{1} << 53) + 1);
  CHECK(tensor({}, {0, 3}, f64).size() == 0);
  CHECK(scalar(2, u8).item() == 2);
  CHECK(values(zeros({3}, i64)) == Values{0, 0, 0});
  CHECK(values(full({2}, 7, u8)) == Values{7, 7});
  CHECK(values(arange(3)) == Values{0, 1, 2});
  CHECK(values(arange(5, 0, -2, f64)) == Values{5, 3, 1});
  CHECK(arange(2, 2).size() == 0);
  CHECK(values(linspace(0, 1, 5, f64)) == Values{0, 0.25, 0.5, 0.75, 1});
  CHECK(values(linspace(2, 3, 1)) == Values{2});
  CHECK(linspace(0, 0.3, 4, f64).at({3}) == 0.3);
  CHECK(values(eye(2, 3, f64)) == Values{1, 0, 0, 0, 1, 0});
  CHECK(zeros_like(ones({2}, f64)).dtype() == f64);
  const std::vector<float> floats{1, 2};
  CHECK(from_buffer(floats, {1, 2}).dtype() == f32);
}

TEST_CASE("sizes, axes and values of any number type") {
  const std::vector<int> sizes{2, 3};
  const std::vector<std::size_t> order{1, 0};
  const std::size_t axis = 1;
  const Tensor t = tensor(std::vector<float>{1, 2, 3, 4, 5, 6}, sizes);
  CHECK(t.shape() == Shape{2, 3});
  CHECK(permute(t, order).at({2, 0}) == 3);
  CHECK(sum(t, axis).at({1}) == 15);
  CHECK(sum(t, 1LL).at({1}) == 15);
  CHECK(tensor(std::vector<std::int64_t>{(std::int64_t{1} << 53) + 1}, {}, i64).data<std::int64_t>()[0] % 2 == 1);
  CHECK(tensor(std::vector<int>{1, 2}, {2}, u8).dtype() == u8);
  CHECK_THROWS_AS(tensor(std::vector<double>{1}, {2}), Error);
  CHECK_THROWS_AS(zeros(std::vector<int>(9, 1)), Error);
  CHECK(arange(2, 5, i64).data<std::int64_t>()[2] == 4);
  static_assert(!std::convertible_to<bool, Axes>);
}

TEST_CASE("what cannot be made says why") {
  CHECK_THROWS_WITH_AS(tensor({1, 2, 3}, {2}), "tensor: got 3 values for shape {2}, needs 2", Error);
  CHECK_THROWS_AS(tensor({300}, {1}, u8), Error);
  CHECK_THROWS_AS(full({1}, NAN, i64), Error);
  CHECK_THROWS_AS(full({1}, 1e30, i64), Error);
  CHECK_THROWS_AS(zeros({-1}), Error);
  CHECK_THROWS_AS(zeros({std::int64_t{1} << 40, std::int64_t{1} << 40}), Error);
  CHECK_THROWS_AS(arange(0, 1, 0), Error);
  CHECK_THROWS_AS(arange(0, 1, -1), Error);
  CHECK_THROWS_AS(eye(-1), Error);
  CHECK_THROWS_AS(rand({2}, i64), Error);
  CHECK_THROWS_AS(randint(3, 3, {1}), Error);
  CHECK_THROWS_AS(randint(0, 300, {1}, u8), Error);
  CHECK_THROWS_AS(bernoulli({1}, 1.5), Error);
  CHECK_THROWS_AS(parameter(ones({2}, i64)), Error);
}

TEST_CASE("a number in place is one that the dtype can hold") {
  Tensor bytes = full({2}, 3, u8), wholes = full({2}, 3, i64);
  for (const double bad : {-1.0, 256.0, static_cast<double>(NAN), 1e300}) {
    CHECK_THROWS_WITH_AS(bytes.fill_(bad), doctest::Contains("u8"), Error);
    CHECK_THROWS_WITH_AS(bytes.add_(bad), doctest::Contains("u8"), Error);
    CHECK_THROWS_WITH_AS(bytes.mul_(bad), doctest::Contains("u8"), Error);
    CHECK_THROWS_WITH_AS(bytes.add_(bytes, bad), doctest::Contains("u8"), Error);
  }
  CHECK_THROWS_AS(wholes.add_(0.5), Error);  // it would add nothing
  CHECK_THROWS_AS(wholes.mul_(0.5), Error);
  CHECK_THROWS_AS(wholes.fill_(0x1p63), Error);
  CHECK(values(bytes) == Values{3, 3});
  CHECK(values(wholes) == Values{3, 3});
  wholes.add_(-4).mul_(2);
  CHECK(values(wholes) == Values{-2, -2});
  bytes.fill_(255.5);  // as full() does, and NumPy
  CHECK(values(bytes) == Values{255, 255});
}

TEST_CASE_TEMPLATE("a conversion to integers drops fractions and ends at the range", T, float, double) {
  const Tensor t =
      tensor({-1e30, -300, -1.5, -0.5, 0.5, 1.5, 255.5, 256, 1e30, NAN, INFINITY, -INFINITY}, {12}, dtype_of<T>);
  CHECK(values(t.to(u8)) == Values{0, 0, 0, 0, 0, 1, 255, 255, 255, 0, 255, 0});
  using Limits = std::numeric_limits<std::int64_t>;
  const std::int64_t wide[] = {Limits::min(), -300,         -1, 0, 0, 1, 255, 256, Limits::max(), 0,
                               Limits::max(), Limits::min()};
  const Tensor converted = t.to(i64);
  const auto whole = converted.data<std::int64_t>();
  CHECK(std::equal(whole.begin(), whole.end(), wide));
  CHECK(values(tensor({-1, 255, 256}, {3}, i64).to(u8)) == Values{255, 255, 0});  // modulo 256, as in C++
}

TEST_CASE("a parameter is a leaf of its own") {
  Tensor t = ones({2});
  Tensor p = parameter(t);
  {
    const NoGrad off;
    p.fill_(5);
  }
  CHECK(values(t) == Values{1, 1});
  CHECK(p.requires_grad());
  CHECK(p.is_leaf());
  CHECK_FALSE(t.requires_grad());
}

TEST_CASE("shapes and dtypes in a stream") {
  std::ostringstream out;
  out << Shape{2, 3} << " " << Shape{} << " " << f64;
  CHECK(out.str() == "{2, 3} {} f64");
}

TEST_CASE("tensors in a stream") {
  CHECK(printed(tensor({1, 2, 3, 4}, {2, 2})) == "[[1., 2.],\n [3., 4.]]\nf32 {2, 2}");
  CHECK(printed(tensor({1, -20}, {2}, i64)) == "[  1, -20] i64 {2}");
  CHECK(printed(tensor({0.5, 1.25}, {2}, f64)) == "[0.50, 1.25] f64 {2}");
  CHECK(printed(scalar(1e-9, f64)) == "1e-09 f64 {}");
  CHECK(printed(zeros({0})) == "[] f32 {0}");
  CHECK(printed(Tensor()) == "undefined tensor");
  CHECK(printed(tensor({NAN, INFINITY}, {2})) == "[nan, inf] f32 {2}");
  Tensor p = parameter(scalar(2));
  p.set_name("scale");
  CHECK(printed(p) == "2. f32 {} 'scale' requires gradient");
  CHECK(printed(p + 1.0).find(" from add") != std::string::npos);
  CHECK(printed(arange(2000)).find("[   0.,    1.,    2., ..., 1997., 1998., 1999.]") == 0);
  const std::string large = printed(zeros({50, 50}));
  CHECK(std::count(large.begin(), large.end(), '\n') == 7);
}

TEST_CASE("xtensor sees a tensor's own memory, and back") {
  Tensor t = tensor({1, 2, 3, 4, 5, 6}, {2, 3}, f64);
  const auto view = as_xtensor<double>(t);
  CHECK(view(1, 2) == 6);
  CHECK(&view(0, 0) == t.data<double>().data());
  auto writable = as_mutable_xtensor<double>(t);
  writable(0, 0) = 10;
  CHECK(t.at({0, 0}) == 10);
  const xt::xarray<float> a{{1, 2}, {3, 4}};
  const Tensor sum = from_xtensor(a + 1.F);
  CHECK(sum.dtype() == f32);
  CHECK(sum.shape() == Shape{2, 2});
  CHECK(values(sum) == Values{2, 3, 4, 5});
  CHECK(from_xtensor(a > 2.F).dtype() == u8);
  CHECK(values(from_xtensor(xt::xarray<int>{1, -2})) == Values{1, -2});
  CHECK(from_xtensor(xt::xarray<int>{1, -2}).dtype() == i64);
  const xt::xarray<float, xt::layout_type::column_major> columns{{1, 2}, {3, 4}};
  CHECK(values(from_xtensor(columns)) == Values{1, 2, 3, 4});
  CHECK(values(from_xtensor(columns + a)) == Values{2, 4, 6, 8});
  const Tensor many = arange(0, 37, i64).to(f32);  // no whole number of vectors
  CHECK(values(from_xtensor(as_xtensor<float>(many) * 2.F)) == values(many * 2.0));
  CHECK_THROWS_AS(as_xtensor<float>(t), Error);
}

TEST_CASE("values as they are written") {
  CHECK(tensor({{1, 2}, {3, 4}, {5, 6}}).shape() == Shape{3, 2});
  CHECK(values(tensor({{1, 2}, {3, 4}})) == Values{1, 2, 3, 4});
  CHECK(tensor({{{1.0}, {2.0}}}).shape() == Shape{1, 2, 1});
  CHECK(tensor({{1.5}, {2.5}}).shape() == Shape{2, 1});
  CHECK(tensor({1, 2.5}, f64).dtype() == f64);
  CHECK(values(tensor({1, 2.5}, f64)) == Values{1, 2.5});
  CHECK(tensor({1, 2}).dtype() == f32);
  CHECK(tensor({{}, {}}).shape() == Shape{2, 0});
  CHECK(tensor({7.0}, {}).rank() == 0);
  const std::int64_t beyond_double = (std::int64_t{1} << 53U) + 1;
  CHECK(tensor({{beyond_double}}, i64).data<std::int64_t>()[0] == beyond_double);
  CHECK_THROWS_WITH_AS(tensor({{1, 2}, {3}}), doctest::Contains("along axis 1"), Error);
  CHECK_THROWS_WITH_AS(tensor({{1, 2}, 3}), doctest::Contains("depths along axis 0"), Error);
  CHECK_THROWS_AS(tensor({1, {2, 3}}), Error);
  CHECK_THROWS_AS(tensor({{1, -1}}, u8), Error);
}

TEST_CASE("numbers in containers") {
  const std::vector<float> single = {1, 2, 3, 4};
  const std::array<int, 4> whole = {1, 2, 3, 4};
  CHECK(tensor(single).shape() == Shape{4});
  CHECK(values(tensor(single, f64)) == Values{1, 2, 3, 4});
  CHECK(values(tensor(whole, {2, -1}, i64)) == Values{1, 2, 3, 4});
  CHECK(tensor(whole, {2, -1}).shape() == Shape{2, 2});
  CHECK(tensor(std::span<const float>(single), {-1, 1}).shape() == Shape{4, 1});
  CHECK(tensor({1, 2, 3, 4}, {-1, 2}).shape() == Shape{2, 2});
  CHECK_THROWS_WITH_AS(tensor(single, {3, -1}), doctest::Contains("got 4 values for shape {3, -1}"), Error);
  CHECK_THROWS_WITH_AS(tensor(single, {-1, -1}), doctest::Contains("at most one -1"), Error);
  CHECK_THROWS_AS(tensor(std::vector<double>{}, {0, -1}), Error);
}

TEST_CASE("sizes of any integer type") {
  const std::vector<int> list = {1, 2, 3};
  CHECK(zeros({list.size(), 2U}).shape() == Shape{3, 2});
  const short rows = 2;
  CHECK(zeros({rows}).shape() == Shape{2});
  CHECK_THROWS_AS(zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
}

TEST_CASE("rows") {
  const Tensor t = parameter(tensor({{1, 2, 3}, {4, 5, 6}}, f64));
  CHECK(values(t[0]) == Values{1, 2, 3});
  CHECK(values(t[-1]) == Values{4, 5, 6});
  CHECK(t[1][2].item() == 6);
  CHECK(t[1][2].rank() == 0);
  sum(t[1] * t[1]).backward();
  CHECK(values(t.grad()) == Values{0, 0, 0, 8, 10, 12});
  Values sums;
  for (const Tensor row : t) sums.push_back(sum(row).item());
  CHECK(sums == Values{6, 15});
  CHECK(Tensors(t.begin(), t.end()).size() == 2);
  for (const Tensor row : zeros({0, 3})) FAIL("no rows, but ", row);
  CHECK_THROWS_WITH_AS((void)t[2], doctest::Contains("got row 2 of shape {2, 3}"), Error);
  CHECK_THROWS_AS((void)t[-3], Error);
  CHECK_THROWS_WITH_AS((void)scalar(1)[0], doctest::Contains("got a scalar"), Error);
  CHECK_THROWS_AS((void)scalar(1).begin().operator*(), Error);
}

TEST_CASE("nan has no sign in print") {
  const double nan = std::copysign(std::numeric_limits<double>::quiet_NaN(), -1.0);
  CHECK(printed(tensor({nan, 1})).find("-nan") == std::string::npos);
  CHECK(detail::to_text(nan) == "nan");
}

// Elementwise ops at special values: zeros, the ends of the range, the points where a function leaves it, bounds, ties,
// infinities, nan; in f64 and f32. Values are held against the op table's references (the C library in double),
// gradients against PyTorch's figures (tests/figures/special.py makes them).
#include <doctest/doctest.h>
#include <tests/support/figures.hpp>
#include <tests/support/op_table.hpp>
#include <tests/support/sanitized.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/ops.hpp>

using namespace weft;
using nlohmann::json;
using weft::test::Array;
using weft::test::OpRow;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

using Values = std::vector<double>;

const json& figures() {
  static const json read = test::figures_in("special.json");
  return read;
}

// Lists of numbers; nan and the infinities are strings.
std::vector<Values> lists(const std::string& key) {
  std::vector<Values> all;
  for (const json& list : figures().at(key)) {
    Values& values = all.emplace_back();
    for (const json& v : list) values.push_back(v.is_string() ? std::stod(v.get<std::string>()) : v.get<double>());
  }
  return all;
}

struct Precision {
  DType dtype;
  double step, least_normal;  // of 1 to the next value; the smallest with all digits
};
const Precision precisions[] = {{f64, 0x1p-52, std::numeric_limits<double>::min()},
                                {f32, 0x1p-23, double{std::numeric_limits<float>::min()}}};

double rounded(double v, DType dtype) { return dtype == f32 ? static_cast<double>(static_cast<float>(v)) : v; }

bool same_bits(double a, double b) { return (a == b && std::signbit(a) == std::signbit(b)) || (a != a && b != b); }

// Whether `got` is the same nan, infinity or zero as `want`, or within `steps` of it or `noise`.
bool agrees(double got, double want, const Precision& p, double steps, double noise) {
  want = rounded(want, p.dtype);
  if (std::isnan(want) || std::isinf(want) || std::isinf(got))
    return same_bits(std::abs(got), std::abs(want)) && (std::isnan(want) || (got > 0) == (want > 0));
  return std::abs(got - want) <= steps * p.step * std::max(std::abs(want), p.least_normal) + noise;
}

// How far an op's formula, which is PyTorch's, strays where its terms cancel or overflow before the result does.
double noise_of(const OpRow& row, double x, const Precision& p) {
  if (row.name == "gelu") return 4 * p.step * std::min(std::abs(x), 1e3);
  if (row.name == "sigmoid" || row.name == "softplus" || row.name == "log_sigmoid")
    return p.least_normal;                                                                     // 1 / (1 + infinity)
  if (row.name == "silu" || row.name == "mish") return 1e3 * p.least_normal;                   // the same times x
  if (row.name == "tanh" || row.name == "fused" || row.name == "softsign") return 4 * p.step;  // 1 - y y; so in PyTorch
  if (row.name == "hardsigmoid") return 1e-8;  // PyTorch's sixth is an f32
  return 0;
}

// Whether PyTorch's figure for a gradient says nothing.
bool is_open(const OpRow& row, double x, double figure) {
  if (row.name == "softsign") return std::isinf(x);  // nan, as the value; the slope is 0
  if (row.name == "acosh") return x == -1;           // the sign of infinity outside of the domain
  if (row.name == "sinh" || row.name == "cosh") return std::isinf(figure) && std::isfinite(std::cosh(x));
  return false;
}

// Units in the last place: pow is good for so few only where the processor multiplies and adds with one rounding.
double digits_lost(const OpRow& row, double units) {
#ifndef __FMA__
  if (row.name == "pow") return 500 * units;
#endif
  (void)row;
  return units;
}

Tensors operands(const std::vector<Values>& values, DType dtype) {
  Tensors made;
  for (const Values& v : values) {
    made.push_back(tensor(std::span<const double>(v), {static_cast<std::int64_t>(v.size())}, f64).to(dtype));
  }
  return made;
}

// The values of an op, then the gradient of their sum along each operand if it has one.
std::vector<Values> results(const OpRow& row, const Tensors& in, bool gradients, bool record = false) {
  Tensors leaves;
  for (const Tensor& t : in) leaves.push_back(gradients ? parameter(t) : t);
  const Tensor out = row.function(leaves)[0];
  std::vector<Values> all = {test::values_of(out)};
  if (gradients)
    for (const Tensor& g : grad({out}, leaves, {.grad_outputs = {ones_like(out)}, .create_graph = record}))
      all.push_back(test::values_of(g));
  return all;
}

// What a row gives for every point by itself, as tensors of one value.
std::vector<Values> one_by_one(const OpRow& row, const std::vector<Values>& points, DType dtype, bool record = false) {
  std::vector<Values> all(row.differentiable ? points.size() + 1 : 1);
  for (std::size_t i = 0; i < points[0].size(); ++i) {
    std::vector<Values> point;
    for (const Values& v : points) point.push_back({v[i]});
    const auto found = results(row, operands(point, dtype), row.differentiable, record);
    for (std::size_t k = 0; k < all.size(); ++k) all[k].push_back(found[k][0]);
  }
  return all;
}

template <class Use>
void for_rows(Use use) {
  for (const OpRow& row : test::op_table()) {
    if (!row.elementwise) continue;
    for (const Precision& p : precisions) {
      INFO(row.title(), " in ", name_of(p.dtype));
      const std::string name = name_of(p.dtype);
      use(row, p, lists(name + (row.cases[0].size() == 1 ? " unary" : " binary")));
    }
  }
}

std::string at_point(const std::vector<Values>& points, std::size_t i) {
  std::string text = "at";
  for (const Values& v : points) text += " " + detail::to_text(v[i]);
  return text;
}

}  // namespace

TEST_CASE("values at special points are the C library's") {
  for_rows([](const OpRow& row, const Precision& p, const std::vector<Values>& points) {
    const Values got = one_by_one(row, points, p.dtype)[0];
    for (std::size_t i = 0; i < got.size(); ++i) {
      test::Arrays in;
      for (const Values& v : points) in.push_back(test::array_of(tensor({v[i]}, {1}, f64)));
      const double want = row.reference(in)[0].storage()[0];
      INFO(at_point(points, i), ": ", got[i], ", not ", want);
      CHECK(agrees(got[i], want, p, digits_lost(row, 4), noise_of(row, points[0][i], p)));
      // Which of 0 and -0 is the larger is left open.
      if (want == 0 && points.size() == 1) CHECK(std::signbit(got[i]) == std::signbit(want));
    }
  });
}

TEST_CASE("functions keep their digits all along") {
  for (const OpRow& row : test::op_table()) {
    if (!row.elementwise || row.cases[0].size() > 1) continue;
    for (const Precision& p : precisions) {
      INFO(row.title(), " in ", name_of(p.dtype));
      Values at;
      for (const double end : {1e-3, 1.2, 30.0, 800.0})
        for (int i = -400; i <= 400; ++i) at.push_back(rounded(end * (i + 0.37) / 400, p.dtype));
      const Tensor x = operands({at}, p.dtype)[0];
      const Values got = test::values_of(row.function({x})[0]);
      const Array want = row.reference({test::array_of(x)})[0];
      for (std::size_t i = 0; i < at.size(); ++i)
        if (!agrees(got[i], want(i), p, digits_lost(row, 5), noise_of(row, at[i], p)))
          FAIL_CHECK("at ", at[i], ": ", got[i], ", not ", want(i));
    }
  }
}

TEST_CASE("lerp is exact at both ends and beyond them") {
  const Tensor a = tensor({1e20, -3, 0.1}, {3}), b = tensor({1, 5, 0.7}, {3});
  CHECK(test::values_of(lerp(a, b, 0.0)) == test::values_of(a));
  CHECK(test::values_of(lerp(a, b, 1.0)) == test::values_of(b));
  CHECK(test::values_of(lerp(a, b, tensor({1, 0, 1}, {3}))) == Values{1, -3, rounded(0.7, f32)});
  CHECK(lerp(a, b, 2.0).at({1}) == 13);
  CHECK(lerp(a, b, tensor({-1, -1, -1}, {3})).at({1}) == -11);
}

TEST_CASE("gradients at special points are PyTorch's, recorded or not") {
  for_rows([](const OpRow& row, const Precision& p, const std::vector<Values>& points) {
    if (!row.differentiable) return;
    const std::string key = std::string(name_of(p.dtype)) + " " + row.title();
    if (!figures().contains(key)) FAIL_CHECK("no figures: tests/figures/special.py needs a line for ", row.title());
    if (!figures().contains(key)) return;
    const std::vector<Values> want = lists(key);
    for (const bool record : {false, true}) {
      const std::vector<Values> got = one_by_one(row, points, p.dtype, record);
      for (std::size_t k = 0; k < want.size(); ++k)
        for (std::size_t i = 0; i < want[k].size(); ++i) {
          if (is_open(row, points[0][i], want[k][i])) continue;
          INFO(at_point(points, i), ", operand ", k, record ? ", recorded: " : ": ", got[k + 1][i], ", not ",
               want[k][i]);
          CHECK(agrees(got[k + 1][i], want[k][i], p, digits_lost(row, 16), noise_of(row, points[0][i], p)));
        }
    }
  });
}

TEST_CASE("exp keeps its digits up to where it overflows and down to 0") {
  for (const Precision& p : precisions) {
    const double top = p.dtype == f32 ? 0x1.62e42ep6 : 0x1.62e42fefa39efp9, bottom = p.dtype == f32 ? -103.97 : -745.13;
    for (const double x :
         {top, top - 0.1, top * (1 + p.step), bottom, bottom - 0.1, bottom / 2, std::log(p.least_normal)}) {
      const Values v = {rounded(x, p.dtype)};
      INFO("exp of ", x);
      CHECK(agrees(exp(operands({v}, p.dtype)[0]).item(), std::exp(v[0]), p, 2, 0));
    }
  }
}

TEST_CASE("no value or gradient hangs on its place or its neighbours") {
  for_rows([](const OpRow& row, const Precision& p, const std::vector<Values>& points) {
    const std::vector<Values> alone = one_by_one(row, points, p.dtype);
    const std::size_t count = points[0].size();
    for (const std::size_t n : {1, 7, 16, 37})
      for (std::size_t shift = 0; shift < count; shift += test::sanitized ? count : 1) {
        std::vector<Values> moved(points.size(), Values(n));
        for (std::size_t k = 0; k < points.size(); ++k)
          for (std::size_t i = 0; i < n; ++i) moved[k][i] = points[k][(i + shift) % count];
        const std::vector<Values> got = results(row, operands(moved, p.dtype), row.differentiable);
        for (std::size_t k = 0; k < got.size(); ++k)
          for (std::size_t i = 0; i < n; ++i)
            if (!same_bits(got[k][i], alone[k][(i + shift) % count]))
              FAIL_CHECK(at_point(points, (i + shift) % count), ", place ", i, " of ", n, ": ", got[k][i], ", alone ",
                         alone[k][(i + shift) % count]);
      }
    if (points.size() == 1) return;
    // Beside one value for all.
    for (std::size_t first = 0; first < count; first += test::sanitized ? 5 : 1) {
      const Tensors in = operands({points[0], {points[1][first]}}, p.dtype);
      const Values got = results(row, in, false)[0];
      for (std::size_t i = 0; i < count; ++i) {
        const Values pair = results(row, operands({{points[0][i]}, {points[1][first]}}, p.dtype), false)[0];
        if (!same_bits(got[i], pair[0])) FAIL_CHECK(points[0][i], " beside ", points[1][first], ": ", got[i]);
      }
    }
  });
}

TEST_CASE("extremes carry a nan from any place") {
  for (const DType dtype : {f64, f32})
    for (const std::int64_t n : {1, 7, 16, 37, 300})
      for (std::int64_t at = 0; at < n; ++at) {
        Values line(static_cast<std::size_t>(n), 2.0), square(static_cast<std::size_t>(2 * n), 2.0);
        line[static_cast<std::size_t>(at)] = square[static_cast<std::size_t>(2 * at + 1)] = not_a_number;
        const Tensor row = operands({line}, dtype)[0];
        const Tensor columns = reshape(operands({square}, dtype)[0], {n, 2});
        INFO("place ", at, " of ", n);
        for (const Tensor& t : {max(row), min(row), max(row, 0), logsumexp(row), logsumexp(row, 0)})
          CHECK(std::isnan(t.item()));
        CHECK(argmax(row, 0).item() == static_cast<double>(at));
        CHECK(argmin(row, 0).item() == static_cast<double>(at));
        CHECK(argmax(columns, 0).at({1}) == static_cast<double>(at));
        for (const Tensor& t : {max(columns, 0), min(columns, 0), logsumexp(columns, 0)}) {
          CHECK(std::isfinite(t.at({0})));
          CHECK(std::isnan(t.at({1})));
        }
        CHECK(std::isnan(softmax(row, 0).at({0})));
        CHECK(std::isnan(softmax(columns, 0).at({0, 1})));
        CHECK(std::isfinite(softmax(columns, 0).at({0, 0})));
      }
}

TEST_CASE("gradients of extremes at ties and nans") {
  const auto slope = [](const std::function<Tensor(const Tensor&)>& f, const Values& at) {
    const Tensor x = parameter(operands({at}, f64)[0]);
    return test::values_of(grad(sum(f(x)), {x})[0]);
  };
  const auto all = [](const Tensor& x) { return max(x); };
  const auto least = [](const Tensor& x) { return min(x); };
  const auto along = [](const Tensor& x) { return max(reshape(x, {2, 2}), 1); };
  CHECK(slope(all, {2, 1, 2, 0}) == Values{0.5, 0, 0.5, 0});
  CHECK(slope(all, {0, -0.0, -1, -0.0}) == Values{1.0 / 3, 1.0 / 3, 0, 1.0 / 3});
  CHECK(slope(least, {1, not_a_number, 2, not_a_number}) == Values{0, 0.5, 0, 0.5});
  CHECK(slope(all, {not_a_number}) == Values{1});
  CHECK(slope(along, {1, 1, infinity, 3}) == Values{0.5, 0.5, 1, 0});
  const Values broken = slope(along, {1, not_a_number, 2, 3});
  CHECK(std::isnan(broken[0]));
  CHECK(std::isnan(broken[1]));
  CHECK(broken[2] == 0);
  CHECK(broken[3] == 1);
}

TEST_CASE("the gradient of a product is that of the others, whatever is 0") {
  const auto vector = [](const std::vector<double>& values) {
    return tensor(values, {static_cast<std::int64_t>(values.size())}, f64);
  };
  const auto slope = [&](const std::vector<double>& values) {
    Tensor a = parameter(vector(values));
    return grad(prod(a), {a})[0];
  };
  CHECK(allclose(slope({2, 0, 3, 5, 7}), tensor({0, 210, 0, 0, 0}, {5}, f64)));
  CHECK(allclose(slope({2, 0, 3, 0, 7}), zeros({5}, f64)));
  const Tensor wide = concat({full({200}, 2), full({200}, 0.5)}, 0), leaf = parameter(wide);
  CHECK(allclose(grad(prod(leaf), {leaf})[0], 1 / wide));
  for (const auto& values : {std::vector<double>{2, 0, 3, -1, 5, 7, 4}, {0, 0, 1}, {0, 3}, {0}}) {
    const auto checked = gradcheck([](const Tensors& in) { return prod(in[0]); }, {vector(values)}, {.order = 3});
    CHECK_MESSAGE(checked.ok, checked.message);
  }
}

TEST_CASE("norms and deviations that are 0 have the slope 0") {
  const auto flat = [](const Tensor& g) { return allclose(g, zeros(g.shape(), g.dtype())); };
  for (const DType dtype : {f32, f64}) {
    Tensor zero = parameter(zeros({2, 3}, dtype)), same = parameter(full({2, 3}, 4, dtype));
    for (const double p : {0.5, 1.0, 2.0, 3.0, HUGE_VAL}) CHECK(flat(grad(sum(norm(zero, 1, false, p)), {zero})[0]));
    CHECK(flat(grad(sum(stddev(same, 1)), {same})[0]));
    CHECK(flat(stddev(same, 1)));
    Tensor half = parameter(tensor({0, 3, -4}, {3}, dtype));
    CHECK(allclose(grad(norm(half), {half})[0], tensor({0, 0.6, -0.8}, {3}, dtype)));
    CHECK(allclose(grad(norm(half, {}, false, INFINITY), {half})[0], tensor({0, 0, -1}, {3}, dtype)));
  }
  CHECK(norm(tensor({1, -7, 3}, {3}), {}, false, INFINITY).item() == 7);
  CHECK(std::isnan(norm(tensor({1, NAN}, {2})).item()));
  CHECK(std::isnan(stddev(tensor({1}, {1})).item()));
}

TEST_CASE("nan is not 0 for any and all") {
  const Tensor nan = tensor({NAN, 0}, {2});
  CHECK(any(nan).item() == 1);
  CHECK(all(nan).item() == 0);
  CHECK(all(slice(nan, 0, 0, 1)).item() == 1);
}

TEST_CASE("where takes nothing from the branch not taken") {
  for (const double bad : {not_a_number, infinity}) {
    const Tensor mask = tensor({1, 0, 1}, {3}, u8);
    const Tensor a = parameter(tensor({1.0, bad, 2.0}, {3}, f64)), b = parameter(tensor({bad, 5.0, bad}, {3}, f64));
    const Tensor y = where(mask, a, b);
    CHECK(test::values_of(y) == Values{1, 5, 2});
    const Tensors slopes = grad(sum(square(y)), {a, b});
    CHECK(test::values_of(slopes[0]) == Values{2, 0, 4});
    CHECK(test::values_of(slopes[1]) == Values{0, 10, 0});
  }
}

TEST_CASE("softmax, log_softmax and logsumexp take a scalar as one value along axis 0") {
  for (const DType dtype : {f64, f32})
    for (const int axis : {0, -1}) {
      const Tensor x = parameter(scalar(3, dtype));
      const auto check = [&](const Tensor& y, double value, double slope) {
        CHECK(y.shape() == Shape{});
        CHECK(y.item() == value);
        CHECK(grad(y, {x}, {.retain_graph = true})[0].shape() == Shape{});
        CHECK(grad(y, {x})[0].item() == slope);
      };
      check(softmax(x, axis), 1, 0);
      check(log_softmax(x, axis), 0, 0);
      check(logsumexp(x, axis), 3, 1);
      check(logsumexp(x, axis, true), 3, 1);
    }
  CHECK_THROWS_AS(softmax(scalar(3), 1), Error);
  CHECK_THROWS_AS(log_softmax(scalar(3), -2), Error);
  CHECK_THROWS_AS(logsumexp(scalar(3), 1), Error);
}

TEST_CASE("softmax of large values") {
  for (const DType dtype : {f64, f32})
    for (const std::int64_t n : {2, 17, 40}) {
      Values large(static_cast<std::size_t>(n), -rounded(1e30, dtype));
      large[1] = -large[0];
      const Tensor row = operands({large}, dtype)[0];
      CHECK(softmax(row, 0).at({1}) == 1);
      CHECK(softmax(row, 0).at({0}) == 0);
      CHECK(log_softmax(row, 0).at({1}) == 0);
      CHECK(log_softmax(row, 0).at({0}) == 2 * large[0]);
      CHECK(logsumexp(row, 0).item() == large[1]);
      const Tensor lowest = full({n}, -infinity, dtype);
      CHECK(std::isnan(softmax(lowest, 0).at({0})));
      CHECK(logsumexp(lowest, 0).item() == -infinity);
      CHECK(logsumexp(where(greater(row, 0.0), full({n}, infinity, dtype), row), 0).item() == infinity);
    }
}

TEST_CASE("a fused function has the slopes of its parts") {
  const Values points = {0.0, -0.0, 1.0, -1.0, 0.6, not_a_number, infinity, -infinity};
  const Tensor x = parameter(operands({points}, f64)[0]);
  const Tensor apart = relu(x) + abs(x) + maximum(x, zeros({8}, f64));
  const Tensor together = fused([](auto v) { return relu(v) + abs(v) + maximum(v, 0.0); })(x);
  for (const bool record : {false, true}) {
    const Tensor want = grad(sum(apart), {x}, {.retain_graph = true, .create_graph = record})[0];
    const Tensor got = grad(sum(together), {x}, {.retain_graph = true, .create_graph = record})[0];
    CHECK(test::difference(test::array_of(got), test::array_of(want), 0) == "");
  }
}

// fused: every function it knows, beside the tensor ops: value, gradient and the gradient's gradient, at sizes round
// its blocks of 256 elements, with one thread and two.
#include <doctest/doctest.h>
#include <tests/support/sanitized.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/arithmetic.hpp>
#include <weft/ops/detail/formulas/choice.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

using namespace weft;

namespace {

// What a function is tried on. `any` has zeros, and elements that two inputs share.
enum class Domain { any, positive };

Tensor input(const Shape& shape, DType dtype, int number, Domain domain) {
  Tensor t = empty(shape, f64);
  const auto data = t.mutable_data<double>();
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::size_t salt = i % 5 == 0 ? 0 : static_cast<std::size_t>(number) * 389;
    const auto step = static_cast<double>((i * 7919 + salt) % 1021);
    data[i] = domain == Domain::positive ? 0.25 + step / 512 : (step - 510) / 256;
  }
  return t.to(dtype);
}

using TensorFunction = std::function<Tensor(const Tensors&)>;

struct Row {
  std::string name;
  int inputs;
  Domain domain;
  TensorFunction fused, plain;
};

template <class F, std::size_t... I>
TensorFunction on_list(F f, std::index_sequence<I...>) {
  return [f](const Tensors& in) { return Tensor(f(in[I]...)); };
}
template <int n, class F, class P>
Row row(const char* name, Domain domain, F f, P plain) {
  constexpr auto list = std::make_index_sequence<n>{};
  return {name, n, domain, on_list(fused(f), list), on_list(plain, list)};
}
// The same text for values of both kinds.
template <int n, class F>
Row row(const char* name, Domain domain, F f) {
  return row<n>(name, domain, f, f);
}

std::vector<Row> unary_rows() {
  constexpr auto any = Domain::any, positive = Domain::positive;
  return {
      row<1>("neg", any, [](auto a) { return -a; }),
      row<1>("neg by name", any, [](auto a) { return neg(a); }),
      row<1>("square", any, [](auto a) { return square(a); }),
      row<1>("sqrt", positive, [](auto a) { return sqrt(a); }),
      row<1>("exp", any, [](auto a) { return exp(a); }),
      row<1>("log", positive, [](auto a) { return log(a); }),
      row<1>("log1p", positive, [](auto a) { return log1p(a); }),
      row<1>("sin", any, [](auto a) { return sin(a); }),
      row<1>("cos", any, [](auto a) { return cos(a); }),
      row<1>("tanh", any, [](auto a) { return tanh(a); }),
      row<1>("sigmoid", any, [](auto a) { return sigmoid(a); }),
      row<1>("erf", any, [](auto a) { return erf(a); }),
      row<1>("abs", any, [](auto a) { return abs(a); }),
      row<1>("relu", any, [](auto a) { return relu(a); }),
      row<1>("softplus", any, [](auto a) { return softplus(a); }),
      row<1>("gelu", any, [](auto a) { return gelu(a); }),
      row<1>("gelu (tanh)", any, [](auto a) { return gelu(a, GeluForm::tanh); }),
      row<1>("tests of a value", any,
             [](auto a) { return where(isfinite(a / a), a, where(isnan(a / a), 2.0, 3.0 * a)); }),
      row<1>("infinity", any, [](auto a) { return where(isinf(1.0 / a), a * a, a); }),
      row<1>("pow of a whole number", any, [](auto a) { return pow(a, 3); }),
      row<1>("pow of a fraction", positive, [](auto a) { return pow(a, -1.5); }),
      row<1>("clamp", any, [](auto a) { return clamp(a, -0.5, 1); }),
      row<1>(
          "a number to a power", any, [](auto a) { return pow(2.0, a); }, [](const Tensor& a) { return pow(2.0, a); }),
      row<1>("numbers on the right", any, [](auto a) { return ((a + 2) * 3 - 4) / 5; }),
      row<1>("numbers on the left", positive, [](auto a) { return 2 - (3 / a) * 4 + (5 + a); }),
      row<1>("maximum and a number", any, [](auto a) { return maximum(a, 0.25) + maximum(-0.25, a); }),
      row<1>("minimum and a number", any, [](auto a) { return minimum(a, 0.25) + minimum(-0.25, a); }),
      row<1>("comparison with a number", any, [](auto a) { return where(a > 0.5, a * a, where(a < -0.5, a, 3.0)); }),
      row<1>("a repeated expression", any, [](auto a) { return tanh(a * a) * tanh(a * a) + tanh(a * a); }),
      row<1>(
          "itself", any, [](auto a) { return a; }, [](const Tensor& a) { return a * 1.0; }),
      row<1>(
          "a constant", any, [](auto) { return 3.5; }, [](const Tensor& a) { return a * 0.0 + 3.5; }),
      row<1>("assignments", any, [](auto a) {
        auto b = 2.0 * a;
        b += a * a;
        b -= 2.0;
        b *= sin(a);
        b /= 4.0;
        return b;
      })};
}

std::vector<Row> more_unary_rows() {
  constexpr auto any = Domain::any, positive = Domain::positive;
  return {row<1>("rsqrt", positive, [](auto a) { return rsqrt(a); }),
          row<1>("reciprocal", positive, [](auto a) { return reciprocal(a); }),
          row<1>("log2", positive, [](auto a) { return log2(a); }),
          row<1>("log10", positive, [](auto a) { return log10(a); }),
          row<1>("exp2", any, [](auto a) { return exp2(a); }),
          row<1>("expm1", any, [](auto a) { return expm1(a); }),
          row<1>("erfc", any, [](auto a) { return erfc(a); }),
          row<1>("atan", any, [](auto a) { return atan(a); }),
          row<1>("sinh", any, [](auto a) { return sinh(a); }),
          row<1>("cosh", any, [](auto a) { return cosh(a); }),
          row<1>("asinh", any, [](auto a) { return asinh(a); }),
          row<1>("relu6", any, [](auto a) { return relu6(a); }),
          row<1>("leaky_relu", any, [](auto a) { return leaky_relu(a); }),
          row<1>("elu", any, [](auto a) { return elu(a); }),
          row<1>("selu", any, [](auto a) { return selu(a); }),
          row<1>("celu", any, [](auto a) { return celu(a); }),
          row<1>("log_sigmoid", any, [](auto a) { return log_sigmoid(a); }),
          row<1>("softsign", any, [](auto a) { return softsign(a); }),
          row<1>("silu", any, [](auto a) { return silu(a); }),
          row<1>("mish", any, [](auto a) { return mish(a); }),
          row<1>("tan", any, [](auto a) { return tan(0.5 * a); }),
          row<1>("asin", any, [](auto a) { return asin(0.4 * a); }),
          row<1>("acos", any, [](auto a) { return acos(0.4 * a); }),
          row<1>("atanh", any, [](auto a) { return atanh(0.4 * a); }),
          row<1>("acosh", positive, [](auto a) { return acosh(a + 1.0); }),
          row<1>("leaky_relu with a slope", any, [](auto a) { return leaky_relu(a, 0.3); }),
          row<1>("elu with alpha", any, [](auto a) { return elu(a, 0.7); }),
          row<1>("celu with alpha", any, [](auto a) { return celu(a, 0.7); }),
          row<1>("hardtanh", any, [](auto a) { return hardtanh(a) * hardtanh(a, -0.4, 0.3); }),
          row<1>("hardsigmoid", any, [](auto a) { return hardsigmoid(2.0 * a); }),
          row<1>("hardswish", any, [](auto a) { return hardswish(2.0 * a); }),
          row<1>("steps", any, [](auto a) { return floor(a) * a + ceil(2.0 * a) - trunc(-a) + round(a * a) * a; }),
          row<1>("sign", any, [](auto a) { return sign(-a) * a + sign(sign(a)); })};
}

std::vector<Row> other_rows() {
  constexpr auto any = Domain::any, positive = Domain::positive;
  return {
      row<2>("add", any, [](auto a, auto b) { return a + b; }),
      row<2>("sub", any, [](auto a, auto b) { return a - b; }),
      row<2>("mul", any, [](auto a, auto b) { return a * b; }),
      row<2>("div", positive, [](auto a, auto b) { return a / b; }),
      row<2>("pow", positive, [](auto a, auto b) { return pow(a, b); }),
      row<2>("maximum", any, [](auto a, auto b) { return maximum(a, b) * a; }),
      row<2>("minimum", any, [](auto a, auto b) { return minimum(a, b) * b; }),
      row<2>("atan2", positive, [](auto a, auto b) { return atan2(a, -b); }),
      row<3>("lerp", any, [](auto a, auto b, auto t) { return lerp(a, b, t) * a; }),
      row<2>("lerp by a number", any, [](auto a, auto b) { return lerp(a, b, 0.3) - lerp(b, a, 0.7) * a; }),
      row<2>("squared difference", any, [](auto a, auto b) { return squared_difference(a, b) * a; }),
      row<2>("at most, at least", any, [](auto a, auto b) { return where(a <= b, a, b * b) + where(a >= b, b, a); }),
      row<2>("logic", any,
             [](auto a, auto b) {
               return where(logical_and(a > 0.0, logical_not(b > 0.0)), a * b,
                            where(logical_or(a < -1.0, not_equal(a, b)), a, b));
             }),
      row<2>(
          "less", any, [](auto a, auto b) { return (a < b) * a; },
          [](const Tensor& a, const Tensor& b) { return less(a, b).to(a.dtype()) * a; }),
      row<2>(
          "greater", any, [](auto a, auto b) { return (a > b) + b; },
          [](const Tensor& a, const Tensor& b) { return greater(a, b).to(a.dtype()) + b; }),
      row<2>(
          "equal", any, [](auto a, auto b) { return equal(a, b) - b * a; },
          [](const Tensor& a, const Tensor& b) { return equal(a, b).to(a.dtype()) - b * a; }),
      row<3>("where", any, [](auto a, auto b, auto c) { return where(a < b, b * c, c * c * a); }),
      row<3>(
          "where of a value", any, [](auto a, auto b, auto c) { return where(a, b * a, c * b); },
          [](const Tensor& a, const Tensor& b, const Tensor& c) { return where(not_equal(a, 0), b * a, c * b); }),
      row<2>(
          "an argument ignored", any, [](auto a, auto) { return a * a; },
          [](const Tensor& a, const Tensor& b) { return a * a + b * 0.0; }),
      row<2>("one argument twice", any, [](auto a, auto b) { return (a - a * b) / (a * b - 10.0); }),
      row<4>("four arguments", any, [](auto a, auto b, auto c, auto d) { return a * b - sin(c) * d + a * d; }),
      row<5>("five arguments", any, [](auto a, auto b, auto c, auto d, auto e) { return a * b * c * d * e - e; }),
      row<6>("six arguments", any,
             [](auto a, auto b, auto c, auto d, auto e, auto f) { return (a + 2.0 * b) * (c - d) + e * tanh(f); }),
      row<7>("seven arguments", any,
             [](auto a, auto b, auto c, auto d, auto e, auto f, auto g) { return a * g + b * f * c - d * e; }),
      row<8>("eight arguments", any, [](auto a, auto b, auto c, auto d, auto e, auto f, auto g, auto h) {
        return a * h + 2.0 * b * g + 3.0 * c * f + square(d * e) * h;
      })};
}

// The value, the gradients weighted by the last input, and their weighted sum's gradients with respect to everything.
Tensors derivatives(const TensorFunction& f, const Tensors& inputs, const Shape& shape) {
  Tensors leaves;
  for (const Tensor& t : inputs) leaves.push_back(parameter(t.clone()));
  const DType dtype = inputs[0].dtype();
  const Tensor y = f(leaves), cotangent = parameter(input(shape, dtype, 91, Domain::any));
  Tensors results{y.detach()}, all = leaves;
  all.push_back(cotangent);
  const auto with_zeros = [&](const Tensors& found, const Tensors& like) {
    for (std::size_t i = 0; i < found.size(); ++i)
      results.push_back(found[i].defined() ? found[i].detach() : zeros_like(like[i]));
  };
  // On memory, then recorded.
  const GradOptions once{.grad_outputs = {cotangent}, .retain_graph = true, .allow_unused = true};
  with_zeros(grad(y, leaves, once), leaves);
  GradOptions options = once;
  options.create_graph = true;
  const Tensors first = grad(y, leaves, options);
  with_zeros(first, leaves);
  Tensors weighted, weights;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (!first[i].defined() || !first[i].requires_grad()) continue;
    weighted.push_back(first[i]);
    weights.push_back(input(first[i].shape(), dtype, 50 + static_cast<int>(i), Domain::any));
  }
  if (weighted.empty()) return results;
  with_zeros(grad(weighted, all, {.grad_outputs = weights, .allow_unused = true}), all);
  return results;
}

// Where two tensors differ first by more than the tolerance, relative to what the numbers' terms may be; empty if
// nowhere.
std::string difference(const Tensor& got, const Tensor& expected, double tolerance) {
  if (got.shape() != expected.shape() || got.dtype() != expected.dtype()) return "shapes or dtypes";
  std::string text;
  detail::visit_floating(got.dtype(), [&](auto zero) {
    const auto a = got.data<decltype(zero)>(), b = expected.data<decltype(zero)>();
    for (std::size_t i = 0; i < a.size() && text.empty(); ++i)
      if (!(std::abs(a[i] - b[i]) <= tolerance * (0.1 + std::abs(b[i]))))
        text = "element " + std::to_string(i) + ": " + std::to_string(a[i]) + ", expected " + std::to_string(b[i]);
  });
  return text;
}

void compare(const Row& row, const std::vector<Shape>& shapes, const Shape& shape, DType dtype) {
  INFO(row.name, ", ", detail::to_text(shape), " ", std::string(name_of(dtype)));
  Tensors inputs;
  for (int k = 0; k < row.inputs; ++k)
    inputs.push_back(input(shapes[static_cast<std::size_t>(k) % shapes.size()], dtype, k, row.domain));
  const Tensors got = derivatives(row.fused, inputs, shape), expected = derivatives(row.plain, inputs, shape);
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    INFO("result ", i);
    // Sums over broadcast axes have that many terms.
    CHECK(difference(got[i], expected[i], dtype == f64 ? 1e-12 : 1e-5) == "");
  }
  // One of the two may not even be connected to the inputs; the other's second derivatives are zero then.
  const Tensors& longer = got.size() > expected.size() ? got : expected;
  for (std::size_t i = std::min(got.size(), expected.size()); i + 1 < longer.size(); ++i)
    CHECK(difference(longer[i], zeros_like(longer[i]), 0) == "");
}

void compare_all(const std::vector<Row>& rows) {
  const int before = num_threads();
  for (const Row& row : rows) {
    for (const DType dtype : {f32, f64}) {
      set_num_threads(1);
      for (const std::int64_t n : {1, 255, 256, 257, 70'001})
        if (!test::sanitized || n == 1 || n == 257) compare(row, {{n}}, {n}, dtype);
      set_num_threads(2);
      if (!test::sanitized || dtype == f32) compare(row, {{70'001}}, {70'001}, dtype);
    }
  }
  set_num_threads(before);
}

}  // namespace

TEST_CASE("functions of one value") { compare_all(unary_rows()); }

TEST_CASE("more functions of one value") { compare_all(more_unary_rows()); }

TEST_CASE("functions of several values") { compare_all(other_rows()); }

TEST_CASE("operands are broadcast, and their gradients summed") {
  for (const Row& row : other_rows())
    for (const DType dtype : {f32, f64}) {
      compare(row, {{3, 1, 5}, {4, 1}, {}}, {3, 4, 5}, dtype);
      compare(row, {{}, {300}, {2, 1}}, row.inputs == 2 ? Shape{300} : Shape{2, 300}, dtype);
    }
}

TEST_CASE("special values come out as the ops give them") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> special{0, -0.0, 1, -1, infinity, -infinity, std::nan(""), 1e300, -1e-300, 800, -800};
  std::vector<double> left, right;
  for (const double a : special)
    for (const double b : special) {
      left.push_back(a);
      right.push_back(b);
    }
  const Shape shape{static_cast<std::int64_t>(left.size())};
  for (const std::vector<Row>& rows : {unary_rows(), more_unary_rows(), other_rows()})
    for (const Row& row : rows) {
      if (row.inputs > 2 || row.name == "an argument ignored" || row.name == "a constant")
        continue;  // their references multiply by zero
      INFO(row.name);
      const Tensors inputs{tensor(left, shape, f64), tensor(right, shape, f64)};
      const Tensor got = row.fused(inputs), expected = row.plain(inputs);
      const auto a = got.data<double>(), b = expected.data<double>();
      std::size_t wrong = 0;
      while (wrong < a.size() && (a[wrong] == b[wrong] || (std::isnan(a[wrong]) && std::isnan(b[wrong])) ||
                                  std::abs(a[wrong] - b[wrong]) <= 1e-13 * std::abs(b[wrong])))
        ++wrong;
      CHECK(wrong == a.size());
    }
}

TEST_CASE("a fused function is written down once, and asked for wanted gradients only") {
  int calls = 0;
  const auto f = fused([&calls](auto a, auto b) {
    ++calls;
    return a * b + log(b);
  });
  CHECK(calls == 1);
  Tensor x = parameter(tensor({2, 3}, {2}, f64));
  const Tensor constant = tensor({5, 7}, {2}, f64);
  for (int i = 0; i < 3; ++i) {
    const Tensor y = f(x, constant);
    CHECK(y.at({0}) == doctest::Approx(10 + std::log(5.0)));
    const Tensor g = grad(sum(y), {x})[0];
    CHECK(g.at({0}) == 5);
    CHECK(g.at({1}) == 7);
  }
  CHECK(calls == 1);
  CHECK_FALSE(f(constant, constant).requires_grad());
  const auto copy = f;  // NOLINT(performance-unnecessary-copy-initialization): a copy is what is tested
  CHECK(copy(constant, x).at({1}) == doctest::Approx(21 + std::log(3.0)));
  CHECK(f(ones({0}, f64), ones({0}, f64)).shape() == Shape{0});
}

TEST_CASE("what cannot be fused says why") {
  const auto add = fused([](auto a, auto b) { return a + b; });
  CHECK_THROWS_WITH_AS(add(ones({2}), ones({2}, f64)), doctest::Contains("fused: got f32"), Error);
  CHECK_THROWS_WITH_AS(add(ones({2}, i64), ones({2}, i64)), doctest::Contains("needs f32 or f64"), Error);
  CHECK_THROWS_WITH_AS(add(ones({2}), ones({3})), doctest::Contains("fused"), Error);
  CHECK_THROWS_WITH_AS(fused([](auto a) { return a + exp(Expr(1.0)); }), doctest::Contains("numbers alone"), Error);
  CHECK_THROWS_WITH_AS(fused([](Expr a) {
                         fused([&](Expr b) { return a * b; });
                         return a;
                       }),
                       doctest::Contains("two functions"), Error);
  Tensor x = parameter(ones({2}, f64));
  x.set_name("operand");
  const Tensor y = sum(fused([](auto a) { return a * a; })(x));
  {
    const NoGrad off;
    x.add_(1);
  }
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("'operand'"), Error);
}

namespace {

// No formula: its value is made of what no register has.
struct Printed {
  static constexpr const char* name = "printed";
  static auto value(const std::string& text) { return text; }
};
struct Doubled {
  static constexpr const char* name = "doubled";
  static auto value(auto x) { return x + x; }
  static auto d0(auto g, auto, auto) { return g + g; }
};
struct Between {
  static constexpr const char* name = "between";
  double low, high;
  static constexpr bool gives_mask = true;
  auto value(auto x) const { return x > low && x < high; }
  Fields describe() const { return {{"low", low}, {"high", high}}; }
};

}  // namespace

TEST_CASE("a formula is an op, a step of a program, or refused when compiled") {
  static_assert(!detail::Formula<Printed> && detail::Formula<Doubled> && detail::Formula<Between>);
  static_assert(detail::operands_of<detail::Where>() == 3 && detail::operands_of<detail::Add>() == 2);
  const Tensor x = parameter(tensor({-1, 0.5, 2}, {3}, f64));
  CHECK(grad(sum(detail::apply(Doubled{}, x)), {x})[0].at({1}) == 2);
  CHECK(
      grad(fused([](auto a) { return detail::apply(Doubled{}, a) * a; })(x), {x}, {.grad_outputs = {ones({3}, f64)}})[0]
          .at({2}) == 8);
  // Steps with other fields are others, though of one type.
  const auto f = fused([](auto a) { return detail::apply(Between{0, 1}, a) + 2.0 * detail::apply(Between{1, 3}, a); });
  CHECK(allclose(f(x), tensor({0, 1, 2}, {3}, f64)));
  CHECK(allclose(detail::apply(Between{0, 1}, x), tensor({0, 1, 0}, {3}, u8), 0, 0));
  CHECK_FALSE(detail::apply(Between{0, 1}, x).requires_grad());
}

#pragma once
// Every formula: value and derivatives, each written once. See elementwise.hpp; who includes this includes the headers
// that declare the functions which the formulas use.
#include <weft/ops/detail/elementwise.hpp>

#include <numbers>

namespace weft::detail {

struct Add {
  static constexpr const char* name = "add";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return a + b; }
  static constexpr auto d0(auto g, auto, auto, auto) { return g; }
  static constexpr auto d1(auto g, auto, auto, auto) { return g; }
};
struct Sub {
  static constexpr const char* name = "sub";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return a - b; }
  static constexpr auto d0(auto g, auto, auto, auto) { return g; }
  static constexpr auto d1(auto g, auto, auto, auto) { return -g; }
};
struct Mul {
  static constexpr const char* name = "mul";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return a * b; }
  static constexpr auto d0(auto g, auto, auto b, auto) { return g * b; }
  static constexpr auto d1(auto g, auto a, auto, auto) { return g * a; }
};
struct Div {
  static constexpr const char* name = "div";
  static auto value(auto a, auto b) { return a / b; }
  static constexpr auto d0(auto g, auto, auto b, auto) { return g / b; }
  static constexpr auto d1(auto g, auto, auto b, auto y) { return -g * y / b; }
};
struct AddScalar {
  static constexpr const char* name = "add";
  static constexpr bool integers = true;
  double scalar = 0;
  Fields describe() const { return {{"scalar", scalar}}; }
  auto value(auto x) const { return x + scalar; }
  static constexpr auto d0(auto g, auto, auto) { return g; }
};
struct SubFromScalar {
  static constexpr const char* name = "sub";
  static constexpr bool integers = true;
  double scalar = 0;
  Fields describe() const { return {{"scalar", scalar}}; }
  auto value(auto x) const { return scalar - x; }
  static constexpr auto d0(auto g, auto, auto) { return -g; }
};
struct MulScalar {
  static constexpr const char* name = "mul";
  static constexpr bool integers = true;
  double scalar = 0;
  Fields describe() const { return {{"scalar", scalar}}; }
  auto value(auto x) const { return x * scalar; }
  constexpr auto d0(auto g, auto, auto) const { return g * scalar; }
};
struct DivScalar {
  static constexpr const char* name = "div";
  double scalar = 1;
  Fields describe() const { return {{"scalar", scalar}}; }
  auto value(auto x) const { return x / scalar; }
  constexpr auto d0(auto g, auto, auto) const { return g / scalar; }
};
struct DivideScalar {
  static constexpr const char* name = "div";
  double scalar = 1;
  Fields describe() const { return {{"scalar", scalar}}; }
  auto value(auto x) const { return scalar / x; }
  static constexpr auto d0(auto g, auto x, auto y) { return -g * y / x; }
};

// Where both operands are equal each takes half the gradient; a nan wins, and then both take all of it; as in PyTorch.
struct Maximum {
  static constexpr const char* name = "maximum";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return where(a > b, a, where(equal(a, a), b, a)); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(a < b, 0.0, g)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(b < a, 0.0, g)); }
};
struct Minimum {
  static constexpr const char* name = "minimum";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return where(a < b, a, where(equal(a, a), b, a)); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(a > b, 0.0, g)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(b > a, 0.0, g)); }
};

struct Pow {
  static constexpr const char* name = "pow";
  static auto value(auto a, auto b) { return pow(a, b); }
  // a^0 is 1 for every a: no slope, where pow would give 0 times infinity at a = 0.
  static constexpr auto d0(auto g, auto a, auto b, auto) {
    return where(equal(b, 0.0), 0.0, g * (b * pow(a, b - 1.0)));
  }
  // 0^b is 0 for every b > 0: no slope along b, where log would give minus infinity times 0.
  static constexpr auto d1(auto g, auto a, auto b, auto y) {
    return g * (y * log(where(equal(a, 0.0), where(b < 0.0, a, 1.0), a)));
  }
};
struct PowScalar {
  static constexpr const char* name = "pow";
  double exponent = 2;
  Fields describe() const { return {{"exponent", exponent}}; }
  auto value(auto x) const { return pow(x, exponent); }
  constexpr auto d0(auto g, auto x, auto) const {
    return g * (exponent * pow(x, exponent == 0 ? 0.0 : exponent - 1.0));
  }
};

struct Neg {
  static constexpr const char* name = "neg";
  static constexpr bool integers = true;
  static auto value(auto x) { return -x; }
  static constexpr auto d0(auto g, auto, auto) { return -g; }
};
struct Square {
  static constexpr const char* name = "square";
  static constexpr bool integers = true;
  static auto value(auto x) { return x * x; }
  static constexpr auto d0(auto g, auto x, auto) { return g * (2.0 * x); }
};
// One pass over memory where square(a - b) takes two.
struct SquaredDifference {
  static constexpr const char* name = "squared_difference";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return (a - b) * (a - b); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return g * (2.0 * (a - b)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return g * (2.0 * (b - a)); }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  static auto value(auto x) { return sqrt(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g / (2.0 * y); }
};
struct Exp {
  static constexpr const char* name = "exp";
  static auto value(auto x) { return exp(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * y; }
};
struct Log {
  static constexpr const char* name = "log";
  static auto value(auto x) { return log(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / x; }
};
struct Log1p {
  static constexpr const char* name = "log1p";
  static auto value(auto x) { return log1p(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / (1.0 + x); }
};
struct Sin {
  static constexpr const char* name = "sin";
  static auto value(auto x) { return sin(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * cos(x); }
};
struct Cos {
  static constexpr const char* name = "cos";
  static auto value(auto x) { return cos(x); }
  static constexpr auto d0(auto g, auto x, auto) { return -g * sin(x); }
};
struct Tanh {
  static constexpr const char* name = "tanh";
  static auto value(auto x) { return tanh(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (1.0 - y * y); }
};
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  static auto value(auto x) { return sigmoid(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (y * (1.0 - y)); }
};
struct Erf {
  static constexpr const char* name = "erf";
  static auto value(auto x) { return erf(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * (2.0 * std::numbers::inv_sqrtpi * exp(-(x * x))); }
};
struct Abs {
  static constexpr const char* name = "abs";
  static constexpr bool integers = true;
  static auto value(auto x) { return abs(x); }
  static constexpr auto d0(auto g, auto x, auto) { return where(x > 0.0, g, where(x < 0.0, -g, 0.0)); }
};
struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool integers = true;
  static auto value(auto x) { return where(x < 0.0, 0.0, x); }
  static constexpr auto d0(auto g, auto, auto y) { return where(equal(y, 0.0), 0.0, g); }
};
struct Softplus {
  static constexpr const char* name = "softplus";
  static auto value(auto x) { return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x))); }
  static constexpr auto d0(auto g, auto x, auto) { return g * sigmoid(x); }
};
// Exact: x times the normal distribution function.
struct Gelu {
  static constexpr const char* name = "gelu";
  static constexpr double density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;  // of a normal variable at 0
  static constexpr auto distribution(auto x) { return 0.5 * (1.0 + erf(x * (std::numbers::sqrt2 / 2))); }
  static auto value(auto x) { return x * distribution(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * (distribution(x) + x * density * exp(-0.5 * (x * x))); }
};
// Hendrycks and Gimpel's approximation (arXiv 1606.08415).
struct GeluTanh {
  static constexpr const char* name = "gelu";
  static constexpr double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2, cubic = 0.044715;
  static constexpr auto inner(auto x) { return tanh(scale * (x + cubic * (x * x * x))); }
  static auto value(auto x) { return 0.5 * x * (1.0 + inner(x)); }
  static constexpr auto d0(auto g, auto x, auto) {
    const auto t = inner(x);
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * (scale * (1.0 + 3.0 * cubic * (x * x))));
  }
};
struct Clamp {
  static constexpr const char* name = "clamp";
  static constexpr bool integers = true;
  double low = 0, high = 1;
  Fields describe() const { return {{"low", low}, {"high", high}}; }
  constexpr auto value(auto x) const { return where(x < low, low, where(x > high, high, x)); }
  constexpr auto d0(auto g, auto x, auto) const { return where(equal(x, value(x)), g, 0.0); }  // 0 at nan
};

// Comparisons, and what is made of true and false: no gradient.
struct Comparison {
  static constexpr bool integers = true, gives_mask = true;
};
struct Equal : Comparison {
  static constexpr const char* name = "equal";
  static auto value(auto a, auto b) { return equal(a, b); }
};
struct NotEqual : Comparison {
  static constexpr const char* name = "not_equal";
  static auto value(auto a, auto b) { return !equal(a, b); }
};
struct Less : Comparison {
  static constexpr const char* name = "less";
  static auto value(auto a, auto b) { return a < b; }
};
struct LessEqual : Comparison {
  static constexpr const char* name = "less_equal";
  static auto value(auto a, auto b) { return a <= b; }
};
struct Greater : Comparison {
  static constexpr const char* name = "greater";
  static auto value(auto a, auto b) { return a > b; }
};
struct GreaterEqual : Comparison {
  static constexpr const char* name = "greater_equal";
  static auto value(auto a, auto b) { return a >= b; }
};
struct LogicalAnd : Comparison {
  static constexpr const char* name = "logical_and";
  static constexpr unsigned masks = 0b11U;
  static auto value(auto a, auto b) { return a && b; }
};
struct LogicalOr : Comparison {
  static constexpr const char* name = "logical_or";
  static constexpr unsigned masks = 0b11U;
  static auto value(auto a, auto b) { return a || b; }
};
struct LogicalNot : Comparison {
  static constexpr const char* name = "logical_not";
  static constexpr unsigned masks = 0b1U;
  static auto value(auto a) { return !a; }
};
struct IsNan : Comparison {
  static constexpr const char* name = "isnan";
  static auto value(auto x) { return !equal(x, x); }
};
struct IsInf : Comparison {
  static constexpr const char* name = "isinf";
  static auto value(auto x) { return equal(x, x) && !equal(x - x, 0.0); }
};
struct IsFinite : Comparison {
  static constexpr const char* name = "isfinite";
  static auto value(auto x) { return equal(x - x, 0.0); }
};

struct Where {
  static constexpr const char* name = "where";
  static constexpr bool integers = true;
  static constexpr unsigned masks = 0b001U;
  static auto value(auto mask, auto a, auto b) { return where(mask, a, b); }
  static constexpr auto d1(auto g, auto mask, auto, auto, auto) { return where(mask, g, 0.0); }
  static constexpr auto d2(auto g, auto mask, auto, auto, auto) { return where(mask, 0.0, g); }
};

}  // namespace weft::detail

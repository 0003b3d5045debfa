#pragma once
// Every elementwise op: value and derivatives, each written once. See elementwise.hpp.
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/elementwise.hpp>
#include <weft/ops/unary.hpp>

#include <numbers>

namespace weft::detail {

struct Add : Elementwise<Add, 2> {
  static constexpr const char* name = "add";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return a + b; }
  static constexpr auto d0(auto g, auto, auto, auto) { return g; }
  static constexpr auto d1(auto g, auto, auto, auto) { return g; }
};
struct Sub : Elementwise<Sub, 2> {
  static constexpr const char* name = "sub";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return a - b; }
  static constexpr auto d0(auto g, auto, auto, auto) { return g; }
  static constexpr auto d1(auto g, auto, auto, auto) { return -g; }
};
struct Mul : Elementwise<Mul, 2> {
  static constexpr const char* name = "mul";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return a * b; }
  static constexpr auto d0(auto g, auto, auto b, auto) { return g * b; }
  static constexpr auto d1(auto g, auto a, auto, auto) { return g * a; }
};
struct Div : Elementwise<Div, 2> {
  static constexpr const char* name = "div";
  static auto value(auto a, auto b) { return a / b; }
  static constexpr auto d0(auto g, auto, auto b, auto) { return g / b; }
  static constexpr auto d1(auto g, auto, auto b, auto y) { return -g * y / b; }
};
struct AddScalar : Elementwise<AddScalar, 1> {
  static constexpr const char* name = "add";
  static constexpr bool integers = true;
  double scalar = 0;
  auto value(auto x) const { return x + scalar; }
  static constexpr auto d0(auto g, auto, auto) { return g; }
};
struct SubFromScalar : Elementwise<SubFromScalar, 1> {
  static constexpr const char* name = "sub";
  static constexpr bool integers = true;
  double scalar = 0;
  auto value(auto x) const { return scalar - x; }
  static constexpr auto d0(auto g, auto, auto) { return -g; }
};
struct MulScalar : Elementwise<MulScalar, 1> {
  static constexpr const char* name = "mul";
  static constexpr bool integers = true;
  double scalar = 0;
  auto value(auto x) const { return x * scalar; }
  constexpr auto d0(auto g, auto, auto) const { return g * scalar; }
};
struct DivScalar : Elementwise<DivScalar, 1> {
  static constexpr const char* name = "div";
  double scalar = 1;
  auto value(auto x) const { return x / scalar; }
  constexpr auto d0(auto g, auto, auto) const { return g / scalar; }
};
struct DivideScalar : Elementwise<DivideScalar, 1> {
  static constexpr const char* name = "div";
  double scalar = 1;
  auto value(auto x) const { return scalar / x; }
  static constexpr auto d0(auto g, auto x, auto y) { return -g * y / x; }
};

// Where both operands are equal each takes half the gradient; a nan wins, and then both take all of it; as in PyTorch.
struct Maximum : Elementwise<Maximum, 2> {
  static constexpr const char* name = "maximum";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return where(a > b, a, where(equal(a, a), b, a)); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(a < b, 0.0, g)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(b < a, 0.0, g)); }
};
struct Minimum : Elementwise<Minimum, 2> {
  static constexpr const char* name = "minimum";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return where(a < b, a, where(equal(a, a), b, a)); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(a > b, 0.0, g)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return where(equal(a, b), 0.5 * g, where(b > a, 0.0, g)); }
};

struct Pow : Elementwise<Pow, 2> {
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
struct PowScalar : Elementwise<PowScalar, 1> {
  static constexpr const char* name = "pow";
  double exponent = 2;
  auto value(auto x) const { return pow(x, exponent); }
  constexpr auto d0(auto g, auto x, auto) const {
    return g * (exponent * pow(x, exponent == 0 ? 0.0 : exponent - 1.0));
  }
};

struct Neg : Elementwise<Neg, 1> {
  static constexpr const char* name = "neg";
  static constexpr bool integers = true;
  static auto value(auto x) { return -x; }
  static constexpr auto d0(auto g, auto, auto) { return -g; }
};
struct Square : Elementwise<Square, 1> {
  static constexpr const char* name = "square";
  static constexpr bool integers = true;
  static auto value(auto x) { return x * x; }
  static constexpr auto d0(auto g, auto x, auto) { return g * (2.0 * x); }
};
// One pass over memory where square(a - b) takes two.
struct SquaredDifference : Elementwise<SquaredDifference, 2> {
  static constexpr const char* name = "squared_difference";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return (a - b) * (a - b); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return g * (2.0 * (a - b)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return g * (2.0 * (b - a)); }
};
struct Sqrt : Elementwise<Sqrt, 1> {
  static constexpr const char* name = "sqrt";
  static auto value(auto x) { return sqrt(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g / (2.0 * y); }
};
struct Exp : Elementwise<Exp, 1> {
  static constexpr const char* name = "exp";
  static auto value(auto x) { return exp(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * y; }
};
struct Log : Elementwise<Log, 1> {
  static constexpr const char* name = "log";
  static auto value(auto x) { return log(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / x; }
};
struct Log1p : Elementwise<Log1p, 1> {
  static constexpr const char* name = "log1p";
  static auto value(auto x) { return log1p(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / (1.0 + x); }
};
struct Sin : Elementwise<Sin, 1> {
  static constexpr const char* name = "sin";
  static auto value(auto x) { return sin(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * cos(x); }
};
struct Cos : Elementwise<Cos, 1> {
  static constexpr const char* name = "cos";
  static auto value(auto x) { return cos(x); }
  static constexpr auto d0(auto g, auto x, auto) { return -g * sin(x); }
};
struct Tanh : Elementwise<Tanh, 1> {
  static constexpr const char* name = "tanh";
  static auto value(auto x) { return tanh(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (1.0 - y * y); }
};
struct Sigmoid : Elementwise<Sigmoid, 1> {
  static constexpr const char* name = "sigmoid";
  static auto value(auto x) { return sigmoid(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (y * (1.0 - y)); }
};
struct Erf : Elementwise<Erf, 1> {
  static constexpr const char* name = "erf";
  static auto value(auto x) { return erf(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * (2.0 * std::numbers::inv_sqrtpi * exp(-(x * x))); }
};
struct Abs : Elementwise<Abs, 1> {
  static constexpr const char* name = "abs";
  static constexpr bool integers = true;
  static auto value(auto x) { return abs(x); }
  static constexpr auto d0(auto g, auto x, auto) { return where(x > 0.0, g, where(x < 0.0, -g, 0.0)); }
};
struct Relu : Elementwise<Relu, 1> {
  static constexpr const char* name = "relu";
  static constexpr bool integers = true;
  static auto value(auto x) { return where(x < 0.0, 0.0, x); }
  static constexpr auto d0(auto g, auto, auto y) { return where(equal(y, 0.0), 0.0, g); }
};
struct Softplus : Elementwise<Softplus, 1> {
  static constexpr const char* name = "softplus";
  static auto value(auto x) { return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x))); }
  static constexpr auto d0(auto g, auto x, auto) { return g * sigmoid(x); }
};
// Exact: x times the normal distribution function.
struct Gelu : Elementwise<Gelu, 1> {
  static constexpr const char* name = "gelu";
  static constexpr double density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;  // of a normal variable at 0
  static constexpr auto distribution(auto x) { return 0.5 * (1.0 + erf(x * (std::numbers::sqrt2 / 2))); }
  static auto value(auto x) { return x * distribution(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * (distribution(x) + x * density * exp(-0.5 * (x * x))); }
};
// Hendrycks and Gimpel's approximation (arXiv 1606.08415).
struct GeluTanh : Elementwise<GeluTanh, 1> {
  static constexpr const char* name = "gelu";
  static constexpr double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2, cubic = 0.044715;
  static constexpr auto inner(auto x) { return tanh(scale * (x + cubic * (x * x * x))); }
  static auto value(auto x) { return 0.5 * x * (1.0 + inner(x)); }
  static constexpr auto d0(auto g, auto x, auto) {
    const auto t = inner(x);
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * (scale * (1.0 + 3.0 * cubic * (x * x))));
  }
};
struct Clamp : Elementwise<Clamp, 1> {
  static constexpr const char* name = "clamp";
  static constexpr bool integers = true;
  double low = 0, high = 1;
  constexpr auto value(auto x) const { return where(x < low, low, where(x > high, high, x)); }
  constexpr auto d0(auto g, auto x, auto) const { return where(equal(x, value(x)), g, 0.0); }  // 0 at nan
};

}  // namespace weft::detail

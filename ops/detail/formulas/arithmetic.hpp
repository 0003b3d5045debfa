#pragma once
// Formulas of arithmetic.
#include <weft/ops/detail/elementwise.hpp>

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
  Fields describe() const { return {{"dividend", scalar}}; }
  auto value(auto x) const { return scalar / x; }
  static constexpr auto d0(auto g, auto x, auto y) { return -g * y / x; }
};

struct Neg {
  static constexpr const char* name = "neg";
  static constexpr bool integers = true;
  static auto value(auto x) { return -x; }
  static constexpr auto d0(auto g, auto, auto) { return -g; }
};
// One pass over memory where square(a - b) takes two.
struct SquaredDifference {
  static constexpr const char* name = "squared_difference";
  static constexpr bool integers = true;
  static auto value(auto a, auto b) { return (a - b) * (a - b); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return g * (2.0 * (a - b)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return g * (2.0 * (b - a)); }
};

// Exact at both ends, as in PyTorch: from the nearer one.
struct Lerp {
  static constexpr const char* name = "lerp";
  static auto value(auto a, auto b, auto t) { return where(abs(t) < 0.5, a + t * (b - a), b - (b - a) * (1.0 - t)); }
  static constexpr auto d0(auto g, auto, auto, auto t, auto) { return g * (1.0 - t); }
  static constexpr auto d1(auto g, auto, auto, auto t, auto) { return g * t; }
  static constexpr auto d2(auto g, auto a, auto b, auto, auto) { return g * (b - a); }
};
struct LerpNumber {
  static constexpr const char* name = "lerp";
  double t = 0.5;
  Fields describe() const { return {{"t", t}}; }
  auto value(auto a, auto b) const { return t < 0.5 && t > -0.5 ? a + t * (b - a) : b - (b - a) * (1.0 - t); }
  constexpr auto d0(auto g, auto, auto, auto) const { return g * (1.0 - t); }
  constexpr auto d1(auto g, auto, auto, auto) const { return g * t; }
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

}  // namespace weft::detail

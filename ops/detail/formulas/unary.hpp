#pragma once
// Formulas of functions of one value, but those of angles.
#include <weft/ops/detail/elementwise.hpp>

#include <numbers>

namespace weft::detail {

struct Square {
  static constexpr const char* name = "square";
  static constexpr bool integers = true;
  static auto value(auto x) { return x * x; }
  static constexpr auto d0(auto g, auto x, auto) { return g * (2.0 * x); }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  static auto value(auto x) { return sqrt(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g / (2.0 * y); }
};
struct Rsqrt {
  static constexpr const char* name = "rsqrt";
  static auto value(auto x) { return 1.0 / sqrt(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (-0.5 * (y * (y * y))); }
};
struct Reciprocal {
  static constexpr const char* name = "reciprocal";
  static auto value(auto x) { return 1.0 / x; }
  static constexpr auto d0(auto g, auto, auto y) { return -g * (y * y); }
};
struct Exp {
  static constexpr const char* name = "exp";
  static auto value(auto x) { return exp(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * y; }
};
struct Exp2 {
  static constexpr const char* name = "exp2";
  static auto value(auto x) { return exp2(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (y * std::numbers::ln2); }
};
struct Expm1 {
  static constexpr const char* name = "expm1";
  static auto value(auto x) { return expm1(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (y + 1.0); }
};
struct Log {
  static constexpr const char* name = "log";
  static auto value(auto x) { return log(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / x; }
};
struct Log2 {
  static constexpr const char* name = "log2";
  static auto value(auto x) { return log2(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / (x * std::numbers::ln2); }
};
struct Log10 {
  static constexpr const char* name = "log10";
  static auto value(auto x) { return log10(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / (x * std::numbers::ln10); }
};
struct Log1p {
  static constexpr const char* name = "log1p";
  static auto value(auto x) { return log1p(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / (1.0 + x); }
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
struct Erfc {
  static constexpr const char* name = "erfc";
  static auto value(auto x) { return erfc(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * (-2.0 * std::numbers::inv_sqrtpi * exp(-(x * x))); }
};
struct Abs {
  static constexpr const char* name = "abs";
  static constexpr bool integers = true;
  static auto value(auto x) { return abs(x); }
  static constexpr auto d0(auto g, auto x, auto) { return where(x > 0.0, g, where(x < 0.0, -g, 0.0)); }
};

// Steps: flat but where they jump.
struct Stepped {
  static constexpr bool integers = true;
  static constexpr auto d0(auto g, auto, auto) { return zeros_like(g); }
};
struct Sign : Stepped {
  static constexpr const char* name = "sign";
  static auto value(auto x) { return where(x > 0.0, 1.0, where(x < 0.0, -1.0, zeros_like(x))); }
};
struct Floor : Stepped {
  static constexpr const char* name = "floor";
  static auto value(auto x) { return floor(x); }
};
struct Ceil : Stepped {
  static constexpr const char* name = "ceil";
  static auto value(auto x) { return ceil(x); }
};
struct Round : Stepped {
  static constexpr const char* name = "round";
  static auto value(auto x) { return round(x); }
};
struct Trunc : Stepped {
  static constexpr const char* name = "trunc";
  static auto value(auto x) { return trunc(x); }
};

}  // namespace weft::detail

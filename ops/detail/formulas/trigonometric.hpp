#pragma once
// Formulas of the functions of angles, circular and hyperbolic, and of their inverses.
#include <weft/ops/detail/elementwise.hpp>

namespace weft::detail {

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
struct Tan {
  static constexpr const char* name = "tan";
  static auto value(auto x) { return tan(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (1.0 + y * y); }
};
// (1 - x) (1 + x) keeps its digits near 1, where 1 - x^2 does not.
struct Asin {
  static constexpr const char* name = "asin";
  static auto value(auto x) { return asin(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / sqrt((1.0 - x) * (1.0 + x)); }
};
struct Acos {
  static constexpr const char* name = "acos";
  static auto value(auto x) { return acos(x); }
  static constexpr auto d0(auto g, auto x, auto) { return -g / sqrt((1.0 - x) * (1.0 + x)); }
};
struct Atan {
  static constexpr const char* name = "atan";
  static auto value(auto x) { return atan(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / (1.0 + x * x); }
};
struct Atan2 {
  static constexpr const char* name = "atan2";
  static auto value(auto a, auto b) { return atan2(a, b); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return g * (b / (a * a + b * b)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return g * (-a / (a * a + b * b)); }
};

struct Sinh {
  static constexpr const char* name = "sinh";
  static auto value(auto x) { return sinh(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * cosh(x); }
};
struct Cosh {
  static constexpr const char* name = "cosh";
  static auto value(auto x) { return cosh(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * sinh(x); }
};
struct Tanh {
  static constexpr const char* name = "tanh";
  static auto value(auto x) { return tanh(x); }
  static constexpr auto d0(auto g, auto, auto y) { return g * (1.0 - y * y); }
};
struct Asinh {
  static constexpr const char* name = "asinh";
  static auto value(auto x) { return asinh(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / sqrt(x * x + 1.0); }
};
struct Acosh {
  static constexpr const char* name = "acosh";
  static auto value(auto x) { return acosh(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / sqrt((x - 1.0) * (x + 1.0)); }
};
struct Atanh {
  static constexpr const char* name = "atanh";
  static auto value(auto x) { return atanh(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g / ((1.0 - x) * (1.0 + x)); }
};

}  // namespace weft::detail

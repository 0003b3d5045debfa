#pragma once
// Formulas of comparisons, and of what is made of true and false: no gradient.
#include <weft/ops/detail/elementwise.hpp>

namespace weft::detail {

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

}  // namespace weft::detail

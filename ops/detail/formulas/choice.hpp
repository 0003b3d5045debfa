#pragma once
// Formulas of what chooses between values.
#include <weft/ops/detail/elementwise.hpp>

namespace weft::detail {

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
struct Clamp {
  static constexpr const char* name = "clamp";
  static constexpr bool integers = true;
  double low = 0, high = 1;
  Fields describe() const { return {{"low", low}, {"high", high}}; }
  constexpr auto value(auto x) const { return where(x < low, low, where(x > high, high, x)); }
  constexpr auto d0(auto g, auto x, auto) const { return where(equal(x, value(x)), g, 0.0); }  // 0 at nan
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

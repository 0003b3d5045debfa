// What chooses between values, of arithmetic.hpp: apart, since formulas take their time to compile.
#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/number.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/choice.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the formulas

Tensor maximum(const Tensor& a, const Tensor& b) { return apply(Maximum{}, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return apply(Minimum{}, a, b); }
Tensor maximum(const Tensor& a, double b) {
  check_number("maximum", a, b);
  return apply(Maximum{}, a, scalar(b, a.dtype()));
}
Tensor minimum(const Tensor& a, double b) {
  check_number("minimum", a, b);
  return apply(Minimum{}, a, scalar(b, a.dtype()));
}

namespace {

void check_bounds(double low, double high) {
  if (!(low <= high)) fail("clamp: got low ", low, " and high ", high, ", needs low <= high");
}

}  // namespace

Tensor clamp(const Tensor& a, double low, double high) {
  check_bounds(low, high);
  // Among integers the bounds that count are the nearest whole numbers inside; beyond the type's range they saturate.
  if (!is_floating(a.dtype())) return apply(Clamp{std::ceil(low), std::floor(high)}, a);
  return apply(Clamp{low, high}, a);
}

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) { return apply(Where{}, mask, a, b); }
Tensor where(const Tensor& mask, const Tensor& a, double b) {
  check_number("where", a, b);
  return where(mask, a, scalar(b, a.dtype()));
}
Tensor where(const Tensor& mask, double a, const Tensor& b) {
  check_number("where", b, a);
  return where(mask, scalar(a, b.dtype()), b);
}

Tensor where(const Tensor& mask, double a, double b, DType dtype) {
  return where(mask, scalar(a, dtype), scalar(b, dtype));
}

Expr maximum(const Expr& a, const Expr& b) { return apply(Maximum{}, a, b); }
Expr minimum(const Expr& a, const Expr& b) { return apply(Minimum{}, a, b); }
Expr clamp(const Expr& a, double low, double high) {
  check_bounds(low, high);
  return apply(Clamp{low, high}, a);
}
Expr where(const Expr& mask, const Expr& a, const Expr& b) { return apply(Where{}, mask, a, b); }

}  // namespace weft

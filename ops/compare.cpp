#include <weft/ops/compare.hpp>

#include <algorithm>
#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/formulas/comparison.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the formulas

namespace {

// Integers are compared with a number as numbers: 0.5 lies between 0 and 1, -1 below every byte.
template <class F>
Tensor compared(const F& formula, const Tensor& a, double b) {
  const Tensor values = is_floating(a.dtype()) ? a : a.to(f64);
  return apply(formula, values, scalar(b, values.dtype()));
}

}  // namespace

Tensor equal(const Tensor& a, const Tensor& b) { return apply(Equal{}, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return apply(NotEqual{}, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return apply(Less{}, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return apply(LessEqual{}, a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return apply(Greater{}, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return apply(GreaterEqual{}, a, b); }
Tensor equal(const Tensor& a, double b) { return compared(Equal{}, a, b); }
Tensor not_equal(const Tensor& a, double b) { return compared(NotEqual{}, a, b); }
Tensor less(const Tensor& a, double b) { return compared(Less{}, a, b); }
Tensor less_equal(const Tensor& a, double b) { return compared(LessEqual{}, a, b); }
Tensor greater(const Tensor& a, double b) { return compared(Greater{}, a, b); }
Tensor greater_equal(const Tensor& a, double b) { return compared(GreaterEqual{}, a, b); }
Expr equal(const Expr& a, const Expr& b) { return apply(Equal{}, a, b); }
Expr not_equal(const Expr& a, const Expr& b) { return apply(NotEqual{}, a, b); }
Expr less(const Expr& a, const Expr& b) { return apply(Less{}, a, b); }
Expr less_equal(const Expr& a, const Expr& b) { return apply(LessEqual{}, a, b); }
Expr greater(const Expr& a, const Expr& b) { return apply(Greater{}, a, b); }
Expr greater_equal(const Expr& a, const Expr& b) { return apply(GreaterEqual{}, a, b); }

Tensor logical_and(const Tensor& a, const Tensor& b) { return apply(LogicalAnd{}, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return apply(LogicalOr{}, a, b); }
Tensor logical_not(const Tensor& a) { return apply(LogicalNot{}, a); }
Tensor isnan(const Tensor& a) { return apply(IsNan{}, a); }
Tensor isinf(const Tensor& a) { return apply(IsInf{}, a); }
Tensor isfinite(const Tensor& a) { return apply(IsFinite{}, a); }
Expr logical_and(const Expr& a, const Expr& b) { return apply(LogicalAnd{}, a, b); }
Expr logical_or(const Expr& a, const Expr& b) { return apply(LogicalOr{}, a, b); }
Expr logical_not(const Expr& a) { return apply(LogicalNot{}, a); }
Expr isnan(const Expr& a) { return apply(IsNan{}, a); }
Expr isinf(const Expr& a) { return apply(IsInf{}, a); }
Expr isfinite(const Expr& a) { return apply(IsFinite{}, a); }

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  detail::check_same_dtype("allclose", a, b);
  if (a.shape() != b.shape()) fail("allclose: got shapes ", a.shape(), " and ", b.shape(), ", needs the same");
  return detail::visit_dtype(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* pa = data_of<T>(a);
    return std::equal(pa, pa + a.size(), data_of<T>(b), [&](T x, T y) {
      if (x == y) return true;
      const auto dx = static_cast<double>(x), dy = static_cast<double>(y);
      if (!std::isfinite(dx) || !std::isfinite(dy)) return false;
      // Integers that differ do so by 1 at least, even where doubles no longer show it.
      const double apart = std::max(std::abs(dx - dy), std::is_integral_v<T> ? 1.0 : 0.0);
      return apart <= atol + rtol * std::abs(dy);
    });
  });
}

}  // namespace weft

#pragma once
// Comparisons, broadcast: u8 tensors of 0 and 1, without gradient. Comparing with nan is 0 (not_equal: 1). The same of
// Exprs is for functions given to fused(), where true is 1 and false 0.
#include <weft/engine/tensor.hpp>
#include <weft/ops/expr.hpp>

namespace weft {

/// Whether a and b are equal, not equal, a < b, a <= b, a > b, a >= b, element by element.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, double b);
Tensor not_equal(const Tensor& a, double b);
Tensor less(const Tensor& a, double b);
Tensor less_equal(const Tensor& a, double b);
Tensor greater(const Tensor& a, double b);
Tensor greater_equal(const Tensor& a, double b);
Expr equal(const Expr& a, const Expr& b);
Expr not_equal(const Expr& a, const Expr& b);
Expr less(const Expr& a, const Expr& b);
Expr less_equal(const Expr& a, const Expr& b);
Expr greater(const Expr& a, const Expr& b);
Expr greater_equal(const Expr& a, const Expr& b);

inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return less_equal(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greater_equal(a, b); }
inline Tensor operator<(const Tensor& a, double b) { return less(a, b); }
inline Tensor operator>(const Tensor& a, double b) { return greater(a, b); }
inline Tensor operator<=(const Tensor& a, double b) { return less_equal(a, b); }
inline Tensor operator>=(const Tensor& a, double b) { return greater_equal(a, b); }
inline Tensor operator<(double a, const Tensor& b) { return greater(b, a); }
inline Tensor operator>(double a, const Tensor& b) { return less(b, a); }
inline Tensor operator<=(double a, const Tensor& b) { return greater_equal(b, a); }
inline Tensor operator>=(double a, const Tensor& b) { return less_equal(b, a); }
inline Expr operator<(const Expr& a, const Expr& b) { return less(a, b); }
inline Expr operator>(const Expr& a, const Expr& b) { return greater(a, b); }
inline Expr operator<=(const Expr& a, const Expr& b) { return less_equal(a, b); }
inline Expr operator>=(const Expr& a, const Expr& b) { return greater_equal(a, b); }

/// Of u8 tensors: not 0 counts as true.
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& a);
Expr logical_and(const Expr& a, const Expr& b);
Expr logical_or(const Expr& a, const Expr& b);
Expr logical_not(const Expr& a);

/// Whether an element is nan, infinite, neither.
Tensor isnan(const Tensor& a);
Tensor isinf(const Tensor& a);
Tensor isfinite(const Tensor& a);
Expr isnan(const Expr& a);
Expr isinf(const Expr& a);
Expr isfinite(const Expr& a);

/// Whether |a - b| <= atol + rtol * |b| everywhere; shapes and dtypes must agree, nan equals nothing.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);

}  // namespace weft

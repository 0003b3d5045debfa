#pragma once
// Arithmetic of two tensors, broadcast by NumPy's rule, and of a tensor and a number, which takes the tensor's dtype.
// Operands of different dtypes throw Error: nothing is promoted silently. The same of Exprs is for functions given to
// fused().
#include <weft/engine/ops_needed.hpp>
#include <weft/engine/tensor.hpp>
#include <weft/ops/expr.hpp>

namespace weft {

// add(a, b) is declared in engine/ops_needed.hpp.
/// a - b, a * b.
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
/// a / b, f32 and f64.
Tensor div(const Tensor& a, const Tensor& b);
/// The same with a number, which for i64 and u8 has to be a whole one that the dtype can hold.
Tensor add(const Tensor& a, double b);
Tensor sub(const Tensor& a, double b);
Tensor mul(const Tensor& a, double b);
Tensor div(const Tensor& a, double b);
Tensor sub(double a, const Tensor& b);
Tensor div(double a, const Tensor& b);
/// -a.
Tensor neg(const Tensor& a);
/// (a - b)^2 in one pass over memory.
Tensor squared_difference(const Tensor& a, const Tensor& b);
Expr squared_difference(const Expr& a, const Expr& b);

Expr add(const Expr& a, const Expr& b);
Expr sub(const Expr& a, const Expr& b);
Expr mul(const Expr& a, const Expr& b);
Expr div(const Expr& a, const Expr& b);
Expr neg(const Expr& a);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(double a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(double a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }

inline Expr operator+(const Expr& a, const Expr& b) { return add(a, b); }
inline Expr operator-(const Expr& a, const Expr& b) { return sub(a, b); }
inline Expr operator*(const Expr& a, const Expr& b) { return mul(a, b); }
inline Expr operator/(const Expr& a, const Expr& b) { return div(a, b); }
inline Expr operator-(const Expr& a) { return neg(a); }
inline Expr& operator+=(Expr& a, const Expr& b) { return a = a + b; }
inline Expr& operator-=(Expr& a, const Expr& b) { return a = a - b; }
inline Expr& operator*=(Expr& a, const Expr& b) { return a = a * b; }
inline Expr& operator/=(Expr& a, const Expr& b) { return a = a / b; }

namespace detail {
/// Gives `a` the value; throws Error if `a` is a leaf that requires a gradient.
Tensor& rebind(const char* op, Tensor& a, Tensor value);
}  // namespace detail

// a += b is a = a + b: `a` becomes the result, an edge of the graph like any other, and what else holds the old tensor
// keeps it. A leaf that requires a gradient is refused: under NoGrad, add_ and its like change it for all who hold it.
inline Tensor& operator+=(Tensor& a, const Tensor& b) { return detail::rebind("+=", a, a + b); }
inline Tensor& operator-=(Tensor& a, const Tensor& b) { return detail::rebind("-=", a, a - b); }
inline Tensor& operator*=(Tensor& a, const Tensor& b) { return detail::rebind("*=", a, a * b); }
inline Tensor& operator/=(Tensor& a, const Tensor& b) { return detail::rebind("/=", a, a / b); }
inline Tensor& operator+=(Tensor& a, double b) { return detail::rebind("+=", a, a + b); }
inline Tensor& operator-=(Tensor& a, double b) { return detail::rebind("-=", a, a - b); }
inline Tensor& operator*=(Tensor& a, double b) { return detail::rebind("*=", a, a * b); }
inline Tensor& operator/=(Tensor& a, double b) { return detail::rebind("/=", a, a / b); }

/// a to the power b. The gradient along b is 0 where a is 0 and b is not negative.
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double exponent);
Tensor pow(double a, const Tensor& exponent);
Expr pow(const Expr& a, const Expr& b);
Expr pow(const Expr& a, double exponent);
/// a + t (b - a), a where t is 0 and b where it is 1; the three are broadcast.
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& t);
Tensor lerp(const Tensor& a, const Tensor& b, double t);
Expr lerp(const Expr& a, const Expr& b, const Expr& t);
/// The larger (smaller) of two; nan if either is, and then both take the gradient; where they are equal each takes
/// half.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, double b);
Tensor minimum(const Tensor& a, double b);
inline Tensor maximum(double a, const Tensor& b) { return maximum(b, a); }
inline Tensor minimum(double a, const Tensor& b) { return minimum(b, a); }
Expr maximum(const Expr& a, const Expr& b);
Expr minimum(const Expr& a, const Expr& b);
/// Values below low become low, above high become high; there, and at nan, the gradient is 0. Throws Error unless low
/// <= high.
Tensor clamp(const Tensor& a, double low, double high);
Expr clamp(const Expr& a, double low, double high);

/// a where the mask (u8, broadcast) is not 0, else b.
Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& mask, const Tensor& a, double b);
Tensor where(const Tensor& mask, double a, const Tensor& b);
Tensor where(const Tensor& mask, double a, double b, DType dtype = f32);
Expr where(const Expr& mask, const Expr& a, const Expr& b);

}  // namespace weft

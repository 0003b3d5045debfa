#pragma once
// Functions of one tensor, element by element, f32 and f64 (square, abs, sign and rounding also i64 and u8), and atan2.
// The same of an Expr is for functions given to fused(). Where nothing else is said they are the C library's, at zeros,
// infinities, nan and outside their domain too, to a few units in the last place.
#include <weft/engine/tensor.hpp>
#include <weft/ops/expr.hpp>

namespace weft {

/// x^2, and the root of x: nan below 0.
Tensor square(const Tensor& x);
Expr square(const Expr& x);
Tensor sqrt(const Tensor& x);
Expr sqrt(const Expr& x);
/// 1 / sqrt(x).
Tensor rsqrt(const Tensor& x);
Expr rsqrt(const Expr& x);
/// 1 / x.
Tensor reciprocal(const Tensor& x);
Expr reciprocal(const Expr& x);

/// e^x.
Tensor exp(const Tensor& x);
Expr exp(const Expr& x);
/// 2 to the power x.
Tensor exp2(const Tensor& x);
Expr exp2(const Expr& x);
/// exp(x) - 1, exact for small x.
Tensor expm1(const Tensor& x);
Expr expm1(const Expr& x);
Tensor log(const Tensor& x);
Expr log(const Expr& x);
Tensor log2(const Tensor& x);
Expr log2(const Expr& x);
Tensor log10(const Tensor& x);
Expr log10(const Expr& x);
/// log(1 + x), exact for small x.
Tensor log1p(const Tensor& x);
Expr log1p(const Expr& x);
/// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x);
Expr sigmoid(const Expr& x);

/// The error function.
Tensor erf(const Tensor& x);
Expr erf(const Expr& x);
/// 1 - erf(x), with its digits where it is small too.
Tensor erfc(const Tensor& x);
Expr erfc(const Expr& x);

/// Sine, cosine and tangent of x in radians, and their inverses: asin and acos are nan beyond -1 and 1.
Tensor sin(const Tensor& x);
Expr sin(const Expr& x);
Tensor cos(const Tensor& x);
Expr cos(const Expr& x);
Tensor tan(const Tensor& x);
Expr tan(const Expr& x);
Tensor asin(const Tensor& x);
Expr asin(const Expr& x);
Tensor acos(const Tensor& x);
Expr acos(const Expr& x);
Tensor atan(const Tensor& x);
Expr atan(const Expr& x);
/// The angle of the point (x, y), in [-pi, pi]; y and x are broadcast. The gradient at (0, 0) is nan, as in PyTorch.
Tensor atan2(const Tensor& y, const Tensor& x);
Expr atan2(const Expr& y, const Expr& x);
Tensor sinh(const Tensor& x);
Expr sinh(const Expr& x);
Tensor cosh(const Tensor& x);
Expr cosh(const Expr& x);
Tensor tanh(const Tensor& x);
Expr tanh(const Expr& x);
Tensor asinh(const Tensor& x);
Expr asinh(const Expr& x);
Tensor acosh(const Tensor& x);
Expr acosh(const Expr& x);
Tensor atanh(const Tensor& x);
Expr atanh(const Expr& x);

/// |x|; the gradient at 0 is 0.
Tensor abs(const Tensor& x);
Expr abs(const Expr& x);
/// -1, 0 or 1; 0 for nan, as in PyTorch. The gradient is 0 everywhere, as is that of the four below.
Tensor sign(const Tensor& x);
Expr sign(const Expr& x);

/// Whole numbers: the nearest that is not larger, not smaller, nearest (half goes to the even one), and nearest towards
/// 0; integers as they are.
Tensor floor(const Tensor& x);
Expr floor(const Expr& x);
Tensor ceil(const Tensor& x);
Expr ceil(const Expr& x);
Tensor round(const Tensor& x);
Expr round(const Expr& x);
Tensor trunc(const Tensor& x);
Expr trunc(const Expr& x);

}  // namespace weft

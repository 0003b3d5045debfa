#pragma once
// Functions of one tensor, element by element, f32 and f64 (square, abs and relu also i64 and u8). The same of an
// Expr is for functions given to fused().
#include <weft/engine/tensor.hpp>
#include <weft/ops/expr.hpp>

namespace weft {

Tensor square(const Tensor& x);
Expr square(const Expr& x);
Tensor sqrt(const Tensor& x);
Expr sqrt(const Expr& x);
Tensor exp(const Tensor& x);
Expr exp(const Expr& x);
Tensor log(const Tensor& x);
Expr log(const Expr& x);
/// log(1 + x), exact for small x.
Tensor log1p(const Tensor& x);
Expr log1p(const Expr& x);
Tensor sin(const Tensor& x);
Expr sin(const Expr& x);
Tensor cos(const Tensor& x);
Expr cos(const Expr& x);
Tensor tanh(const Tensor& x);
Expr tanh(const Expr& x);
/// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x);
Expr sigmoid(const Expr& x);
/// The error function.
Tensor erf(const Tensor& x);
Expr erf(const Expr& x);
/// |x|; the gradient at 0 is 0.
Tensor abs(const Tensor& x);
Expr abs(const Expr& x);
/// max(x, 0), nan stays nan; the gradient at 0 is 0, at nan 1.
Tensor relu(const Tensor& x);
Expr relu(const Expr& x);
/// log(1 + exp(x)), without overflow.
Tensor softplus(const Tensor& x);
Expr softplus(const Expr& x);

enum class GeluForm { exact, tanh };
/// x times the normal distribution function, or its tanh approximation (Hendrycks and Gimpel, arXiv 1606.08415).
Tensor gelu(const Tensor& x, GeluForm form = GeluForm::exact);
Expr gelu(const Expr& x, GeluForm form = GeluForm::exact);

}  // namespace weft

#pragma once
// Functions of one tensor, element by element, f32 and f64 (square, abs and relu also i64 and u8).
#include <weft/engine/tensor.hpp>

namespace weft {

Tensor square(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
/// log(1 + x), exact for small x.
Tensor log1p(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x)).
Tensor sigmoid(const Tensor& x);
/// The error function.
Tensor erf(const Tensor& x);
/// |x|; the gradient at 0 is 0.
Tensor abs(const Tensor& x);
/// max(x, 0), nan stays nan; the gradient at 0 is 0, at nan 1.
Tensor relu(const Tensor& x);
/// log(1 + exp(x)), without overflow.
Tensor softplus(const Tensor& x);

enum class GeluForm { exact, tanh };
/// x times the normal distribution function, or its tanh approximation (Hendrycks and Gimpel, arXiv 1606.08415).
Tensor gelu(const Tensor& x, GeluForm form = GeluForm::exact);

}  // namespace weft

#pragma once
// Activations: functions of one tensor, element by element, f32 and f64 (relu, relu6 and hardtanh also i64 and u8),
// with PyTorch's values and gradients at kinks, infinities and nan. The same of an Expr is for functions given to
// fused().
#include <weft/engine/tensor.hpp>
#include <weft/ops/expr.hpp>

namespace weft {

/// max(x, 0), nan stays nan; the gradient at 0 is 0, at nan 1.
Tensor relu(const Tensor& x);
Expr relu(const Expr& x);
/// min(max(x, 0), 6); the gradient at 0 and 6 is 0, at nan 1.
Tensor relu6(const Tensor& x);
Expr relu6(const Expr& x);
/// Values below low become low, above high become high; the gradient at both is 0, at nan 1 (as in PyTorch; clamp's is
/// 1 and 0 there). Throws Error unless low <= high.
Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);
Expr hardtanh(const Expr& x, double low = -1, double high = 1);
/// x above 0, else slope * x; the gradient at 0 is the slope.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
Expr leaky_relu(const Expr& x, double slope = 0.01);
/// x above 0, else alpha * (exp(x) - 1); the gradient at 0 is alpha.
Tensor elu(const Tensor& x, double alpha = 1);
Expr elu(const Expr& x, double alpha = 1);
/// 1.0507 times elu with alpha 1.67326, numbers that keep the mean 0 and the variance 1 from layer to layer (Klambauer
/// and others, arXiv 1706.02515).
Tensor selu(const Tensor& x);
Expr selu(const Expr& x);
/// x above 0, else alpha * (exp(x / alpha) - 1). Throws Error if alpha is 0.
Tensor celu(const Tensor& x, double alpha = 1);
Expr celu(const Expr& x, double alpha = 1);

/// log(1 + exp(x)), without overflow.
Tensor softplus(const Tensor& x);
Expr softplus(const Expr& x);
/// log(sigmoid(x)), without overflow.
Tensor log_sigmoid(const Tensor& x);
Expr log_sigmoid(const Expr& x);
/// x / (1 + |x|); nan at infinity.
Tensor softsign(const Tensor& x);
Expr softsign(const Expr& x);

enum class GeluForm { exact, tanh };
/// x times the normal distribution function, or its tanh approximation (Hendrycks and Gimpel, arXiv 1606.08415).
Tensor gelu(const Tensor& x, GeluForm form = GeluForm::exact);
Expr gelu(const Expr& x, GeluForm form = GeluForm::exact);
/// x * sigmoid(x), also called swish; nan at minus infinity.
Tensor silu(const Tensor& x);
Expr silu(const Expr& x);
/// x * tanh(softplus(x)); nan at minus infinity (Misra, arXiv 1908.08681).
Tensor mish(const Tensor& x);
Expr mish(const Expr& x);
/// min(max(x + 3, 0), 6) / 6; the gradient at -3 and 3, and at nan, is 0.
Tensor hardsigmoid(const Tensor& x);
Expr hardsigmoid(const Expr& x);
/// x * hardsigmoid(x), nan at minus infinity; the gradient at -3 is -1/2, at 3 and at nan 1 (as in PyTorch 1.13).
Tensor hardswish(const Tensor& x);
Expr hardswish(const Expr& x);

}  // namespace weft

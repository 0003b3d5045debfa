#pragma once
// What losses are made of, element by element in one pass over memory; operands are broadcast. f32 and f64.
// nn/losses.hpp checks and reduces them. (softmax_cross_entropy is in softmax.hpp, squared_difference in
// arithmetic.hpp.)
#include <weft/engine/tensor.hpp>

namespace weft {

/// (a - b)^2 / 2 where |a - b| <= delta, beyond it goes on straight: delta (|a - b| - delta / 2). The slope is delta at
/// most (Huber 1964).
Tensor huber_difference(const Tensor& a, const Tensor& b, double delta = 1);
/// |a - b|; the gradient is 0 where they are equal.
Tensor absolute_difference(const Tensor& a, const Tensor& b);
/// -target log(p) - (1 - target) log(1 - p) with logarithms of at least -100, as in PyTorch: the gradient along p
/// divides by p (1 - p), taken as 1e-12 where it is less. nan for p outside of [0, 1].
Tensor bernoulli_cross_entropy(const Tensor& p, const Tensor& target);
/// target (log(target) - log_p), 0 log(0) being 0.
Tensor relative_entropy(const Tensor& log_p, const Tensor& target);
/// exp(log_target) (log_target - log_p).
Tensor relative_entropy_of_logs(const Tensor& log_p, const Tensor& log_target);
/// max(0, 1 - target score); the gradient is 0 at the kink.
Tensor hinge_margin(const Tensor& score, const Tensor& target);
/// (log(v) + (target - mean)^2 / v) / 2 with v the variance, at least eps; the gradient along the variance is that at
/// v, as in PyTorch.
Tensor gaussian_surprise(const Tensor& mean, const Tensor& target, const Tensor& variance, double eps = 1e-6);

}  // namespace weft

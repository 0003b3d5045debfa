#pragma once
// Normalisation.
#include <weft/engine/tensor.hpp>

namespace weft {

/// Over all axes but the last, the channels (Ioffe and Szegedy, arXiv 1502.03167): (x - mean) / sqrt(var + eps) *
/// weight
/// + bias, weight and bias {channels} or undefined. Training: the batch's own mean and biased variance; running_mean
/// and running_var, if defined, move towards the mean and the unbiased variance by `momentum`, in place. Else those two
/// are used. Training on fewer than two values a channel throws Error.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean, Tensor running_var,
                  bool training, double momentum = 0.1, double eps = 1e-5);

/// Over the last axis (Ba, Kiros and Hinton, arXiv 1607.06450); weight and bias have its size or are undefined.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

}  // namespace weft

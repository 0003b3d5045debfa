#pragma once
// Normalisation.
#include <weft/engine/tensor.hpp>

#include <optional>

namespace weft {

/// By what batch_norm normalises.
struct BatchNormStatistics {
  Tensor running_mean = {}, running_var = {};  ///< {channels}, or undefined in training
  bool training = false;  ///< by the batch's own mean and variance; the running ones, if defined, move towards them
  double momentum = 0.1;  ///< how far
  double eps = 1e-5;      ///< added to the variance
};

/// Over all axes but the last, the channels (Ioffe and Szegedy, arXiv 1502.03167): (x - mean) / sqrt(var + eps) *
/// weight + bias, weight and bias {channels} or undefined. In training mean and biased variance are the batch's, and
/// the running statistics are moved in place, towards the mean and the unbiased variance; else the running ones are
/// used. Training on fewer than two values a channel throws Error.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormStatistics& by);

/// relu(batch_norm(x, weight, bias, by) + shortcut), without `shortcut` relu(batch_norm(x, weight, bias, by)), to the
/// bit, in one pass over memory where these are two or three, forward and backward. `shortcut` has the shape of x.
Tensor batch_norm_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormStatistics& by,
                       const Tensor& shortcut = {});

/// Over the last axis (Ba, Kiros and Hinton, arXiv 1607.06450); weight and bias have its size or are undefined.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

/// Over all axes but the first, the batch, within each group of channels, the last axis (Wu and He, arXiv 1803.08494):
/// x {batch, ..., channels}; weight and bias are {channels} or undefined. `groups` divides the channels.
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

/// x / sqrt(mean(x^2) + eps) * weight over the last axis (Zhang and Sennrich, arXiv 1910.07467); weight has its size or
/// is undefined. eps is by default the dtype's distance from 1 to the next number, as in PyTorch.
Tensor rms_norm(const Tensor& x, const Tensor& weight = {}, std::optional<double> eps = {});

}  // namespace weft

#include <weft/nn/layers/batch_norm.hpp>

#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft::nn {

BatchNorm::BatchNorm(std::int64_t channels, BatchNormOptions o)
    : weight{this, "weight", (detail::check_positive("BatchNorm", {channels}), ones({channels}))},
      bias{this, "bias", zeros({channels})},
      running_mean{this, "running_mean", zeros({channels})},
      running_var{this, "running_var", ones({channels})},
      options(o) {}

BatchNormStatistics BatchNorm::statistics() const {
  return {.running_mean = running_mean,
          .running_var = running_var,
          .training = is_training(),
          .momentum = options.momentum,
          .eps = options.eps};
}

Tensor BatchNorm::forward(const Tensor& x) {
  detail::check_input("BatchNorm", x, 0, weight.size());
  if (over_processes && is_training()) return forward_over_processes(x);
  return batch_norm(x, weight, bias, statistics());
}

Tensor BatchNorm::forward_over_processes(const Tensor& x) {
  const std::int64_t channels = weight.size();
  Axes rows;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) rows.append(axis);
  const std::int64_t own = x.size() / channels;
  const Tensor count = full({1}, static_cast<double>(own), x.dtype());
  const Tensor sums = over_processes(concat({sum(x, rows), count}));
  const double n = sums.detach().at({channels});
  if (n < 2) fail("BatchNorm: got ", n, " values a channel in training over all processes, needs 2");
  const Tensor mean = slice(sums, 0, 0, channels) / n;
  const Tensor from_mean = x - mean;
  const Tensor variance = over_processes(sum(square(from_mean), rows)) / n;
  if (!recomputing()) {
    const NoGrad off;
    running_mean.copy_(lerp(running_mean, mean, options.momentum));
    running_var.copy_(lerp(running_var, variance * (n / (n - 1)), options.momentum));
  }
  return from_mean * rsqrt(variance + options.eps) * weight + bias;
}

Tensor BatchNorm::relu(const Tensor& x, const Tensor& shortcut) {
  if (is_hooked() || (over_processes && is_training())) {
    const Tensor y = (*this)(x);
    return weft::relu(shortcut.defined() ? y + shortcut : y);
  }
  return inside([&] {
    detail::check_input("BatchNorm", x, 0, weight.size());
    return batch_norm_relu(x, weight, bias, statistics(), shortcut);
  });
}

}  // namespace weft::nn

namespace weft::detail {

BatchNormUpdate::BatchNormUpdate(nn::Module& module) : module_(module) {
  for (const auto& [path, part] : module.named_modules())
    if (auto* const layer = dynamic_cast<nn::BatchNorm*>(part))
      norms_.push_back({layer, layer->options.momentum, layer->is_training(), layer->running_mean.detach().clone(),
                        layer->running_var.detach().clone()});
  for (const Norm& norm : norms_) nn::ModuleAccess::set_training(*norm.layer, true);
}

BatchNormUpdate::~BatchNormUpdate() {
  const NoGrad off;
  for (const Norm& norm : norms_) {
    norm.layer->options.momentum = norm.momentum;
    nn::ModuleAccess::set_training(*norm.layer, norm.training);
    if (finished_) continue;
    norm.layer->running_mean.copy_(norm.mean);
    norm.layer->running_var.copy_(norm.variance);
  }
}

void BatchNormUpdate::add(const Tensor& x) {
  const NoGrad off;
  ++batches_;
  for (const Norm& norm : norms_) {
    norm.layer->options.momentum = 1.0 / static_cast<double>(batches_);
    if (batches_ > 1) continue;
    norm.layer->running_mean.zero_();  // a nan would stay, though it counts for nothing
    norm.layer->running_var.zero_();
  }
  module_(x);
}

void BatchNormUpdate::finish() {
  if (batches_ == 0) fail("update_batch_norm: got no batches");
  finished_ = true;
}

}  // namespace weft::detail

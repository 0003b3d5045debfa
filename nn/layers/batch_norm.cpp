#include <weft/nn/layers/batch_norm.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/normalization.hpp>

namespace weft::nn {

BatchNorm::BatchNorm(std::int64_t channels, BatchNormOptions o)
    : weight{this, "weight", (detail::check_positive("BatchNorm", {channels}), ones({channels}))},
      bias{this, "bias", zeros({channels})},
      running_mean{this, "running_mean", zeros({channels})},
      running_var{this, "running_var", ones({channels})},
      options(o) {}

Tensor BatchNorm::forward(const Tensor& x) {
  detail::check_input("BatchNorm", x, 0, weight.size());
  return batch_norm(x, weight, bias,
                    {.running_mean = running_mean,
                     .running_var = running_var,
                     .training = is_training(),
                     .momentum = options.momentum,
                     .eps = options.eps});
}

}  // namespace weft::nn

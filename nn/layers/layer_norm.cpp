#include <weft/nn/layers/layer_norm.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/normalization.hpp>

namespace weft::nn {

LayerNorm::LayerNorm(std::int64_t features, LayerNormOptions o)
    : weight{this, "weight", (detail::check_positive("LayerNorm", {features}), ones({features}))},
      bias{this, "bias", zeros({features})},
      options(o) {}

Tensor LayerNorm::forward(const Tensor& x) {
  detail::check_input("LayerNorm", x, 0, weight.size());
  return layer_norm(x, weight, bias, options.eps);
}

}  // namespace weft::nn

#include <weft/nn/layers/rms_norm.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/normalization.hpp>

namespace weft::nn {

RmsNorm::RmsNorm(std::int64_t features, RmsNormOptions o)
    : weight{this, "weight", (detail::check_positive("RmsNorm", {features}), ones({features}))}, options(o) {}

Tensor RmsNorm::forward(const Tensor& x) {
  detail::check_input("RmsNorm", x, 0, weight.size());
  return rms_norm(x, weight, options.eps);
}

}  // namespace weft::nn

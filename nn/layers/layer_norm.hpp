#pragma once
// Layer normalisation as a module.
#include <weft/nn/module.hpp>

namespace weft::nn {

struct LayerNormOptions {
  double eps = 1e-5;
};

/// Normalisation over the last axis (Ba, Kiros and Hinton, arXiv 1607.06450).
class LayerNorm : public Module {
 public:
  using Options = LayerNormOptions;
  explicit LayerNorm(std::int64_t features, LayerNormOptions options = {});
  Tensor forward(const Tensor& x) override;

  Param weight, bias;
  const LayerNormOptions options;
};

}  // namespace weft::nn

#pragma once
// RMS normalisation as a module.
#include <weft/nn/module.hpp>

#include <optional>

namespace weft::nn {

struct RmsNormOptions {
  std::optional<double> eps = {};  ///< by default the dtype's distance from 1 to the next number
};

/// The last axis divided by the root of its mean square (Zhang and Sennrich, arXiv 1910.07467), times weight.
class RmsNorm : public Module {
 public:
  using Options = RmsNormOptions;
  explicit RmsNorm(std::int64_t features, RmsNormOptions options = {});
  Tensor forward(const Tensor& x) override;

  Param weight;
  const RmsNormOptions options;
};

}  // namespace weft::nn

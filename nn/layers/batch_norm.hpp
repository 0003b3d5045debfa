#pragma once
// Batch normalisation as a module.
#include <weft/nn/module.hpp>

namespace weft::nn {

struct BatchNormOptions {
  double momentum = 0.1;  ///< how far the running statistics move towards a batch's
  double eps = 1e-5;
};

/// Batch normalisation of the last axis over all others (Ioffe and Szegedy, arXiv 1502.03167), for vectors, sequences
/// and images alike. In training by the batch's statistics, else by the running ones.
class BatchNorm : public Module {
 public:
  using Options = BatchNormOptions;
  explicit BatchNorm(std::int64_t channels, BatchNormOptions options = {});
  Tensor forward(const Tensor& x) override;

  Param weight, bias;
  Buffer running_mean, running_var;
  const BatchNormOptions options;
};

}  // namespace weft::nn

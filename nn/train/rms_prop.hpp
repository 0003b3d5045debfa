#pragma once
// RMSprop.
#include <weft/nn/train/optimizer.hpp>

namespace weft::nn {

struct RmsPropOptions {
  double lr = 0.01;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double momentum = 0.0;
  bool centered = false;  ///< by the variance of the gradient, not its mean square
  double l1 = 0.0;        ///< as SgdOptions has it
};

/// RMSprop (Tieleman and Hinton, Coursera lecture 6.5, 2012; centred: Graves, arXiv 1308.0850), as in PyTorch:
/// g += decay p; square = alpha square + (1 - alpha) g^2; p -= lr g / (sqrt(square) + eps), or with momentum
/// buffer = momentum buffer + g / (...) and p -= lr buffer.
class RmsProp : public OptimizerOf<RmsProp, RmsPropOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  friend OptimizerOf;
  static constexpr const char* name = "RmsProp";
  static std::vector<std::string> slots(const std::vector<RmsPropOptions>& groups);
  static void check(const RmsPropOptions& options);
  static void update(Tensor& p, const Tensor& g, Tensors& slots, const RmsPropOptions& options, std::int64_t step);
};

}  // namespace weft::nn

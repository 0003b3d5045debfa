#pragma once
// Gradient descent.
#include <weft/nn/train/optimizer.hpp>

namespace weft::nn {

struct SgdOptions {
  double lr = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  double dampening = 0.0;
  bool nesterov = false;
  /// The proximal step: after each update weights move towards 0 by lr l1, and small ones become exactly 0.
  double l1 = 0.0;
};

/// Stochastic gradient descent with momentum or Nesterov's (Sutskever et al., ICML 2013), as in PyTorch:
/// g += decay p; buffer = momentum buffer + (1 - dampening) g (the first time: g); p -= lr (nesterov ? g + momentum
/// buffer : buffer).
class Sgd : public OptimizerOf<Sgd, SgdOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  friend OptimizerOf;
  static constexpr const char* name = "Sgd";
  static constexpr double SgdOptions::*momentum_option = &SgdOptions::momentum;
  static std::vector<std::string> slots(const std::vector<SgdOptions>& groups);
  static void check(const SgdOptions& options);
  static void check_together(const SgdOptions& options);
  static void update(Tensor& p, const Tensor& g, Tensors& slots, const SgdOptions& options, std::int64_t step);
  static bool leaves_zeros(const SgdOptions& o, std::int64_t) {
    return o.momentum == 0 && o.weight_decay == 0 && o.l1 == 0;
  }
  bool has_momentum() const override { return has_slots(); }
};

}  // namespace weft::nn

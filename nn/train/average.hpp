#pragma once
// Averages of weights over the steps of training.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// A copy of a module whose parameters follow the original's as average = decay average + (1 - decay) value, in
/// evaluation mode and without gradients (Polyak and Juditsky, SIAM J. Control Optim. 30, 1992). Floating buffers are
/// averaged likewise, others copied. It holds the tensors, not the module.
class Ema {
 public:
  /// Throws Error unless 0 <= decay < 1.
  Ema(Module& module, double decay = 0.999);
  /// To be called after each step of the optimiser.
  void update();
  /// The averaged copy: to be evaluated, saved and loaded like any other.
  Module& module() { return *average_; }

 private:
  ModulePtr average_;
  std::vector<std::pair<Tensor, Tensor>> pairs_;  // of the average and the original
  double decay_;
};

}  // namespace weft::nn

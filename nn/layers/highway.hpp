#pragma once
// The gated shortcut.
#include <weft/nn/layers/linear.hpp>

namespace weft::nn {

/// t body(x) + (1 - t) x with the gate t = sigmoid(gate(x)), a linear map of the last axis (Srivastava et al., arXiv
/// 1505.00387). The gate's bias starts at gate_bias: the less, the more is carried past a new net's body. Throws Error
/// naming both shapes unless the body keeps that of x.
class Highway : public Module {
 public:
  Highway(ModulePtr body, std::int64_t features, double gate_bias = -2);
  Tensor forward(const Tensor& x) override;

  Child<Module> body;
  Child<Linear> gate;
};

}  // namespace weft::nn

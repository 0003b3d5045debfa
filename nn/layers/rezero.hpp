#pragma once
// The shortcut beside a body that starts at nothing.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// x + scale body(x) with a trained scale, 0 at first: a new net of such blocks is the identity, however deep
/// (Bachlechner et al., arXiv 2003.04887). Throws Error naming both shapes unless the body keeps that of x.
class ReZero : public Module {
 public:
  explicit ReZero(ModulePtr body);
  Tensor forward(const Tensor& x) override;

  Child<Module> body;
  Param scale;  ///< of shape {}
};

}  // namespace weft::nn

#pragma once
// Bounds on gradients, between backward and an optimiser's step.
#include <weft/engine/tensor.hpp>

namespace weft::nn {

/// Scales the gradients of these parameters, taken as one vector, down to the norm `max` if theirs is larger (Pascanu
/// et al., arXiv 1211.5063). p: 1, 2, ... or infinity. Returns the norm before; where that is not finite the gradients
/// stay as they are. Parameters without a gradient do not count.
double clip_grad_norm(const Tensors& parameters, double max, double p = 2);
/// Each element of the gradients brought within -max and max; nan stays.
void clip_grad_value(const Tensors& parameters, double max);

}  // namespace weft::nn

#pragma once
// Dropout.
#include <weft/engine/tensor.hpp>

namespace weft {

/// In training each element is 0 with probability p, else divided by 1 - p; otherwise x itself. 0 <= p < 1.
Tensor dropout(const Tensor& x, double p, bool training);

}  // namespace weft

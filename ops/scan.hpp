#pragma once
// Running sums and products along an axis. Those of f32 are kept in f64 and rounded once for each result, so that they
// are as good at the end of a long axis as at its start; those of u8 are i64, which wraps. In PyTorch too.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The sum of each value and all before it.
Tensor cumsum(const Tensor& a, int axis);
/// The product of each value and all before it. The gradient is that of the others, also beside zeros.
Tensor cumprod(const Tensor& a, int axis);

}  // namespace weft

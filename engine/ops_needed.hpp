#pragma once
// The ops that the engine itself needs; ops/ defines them.
#include <weft/engine/tensor.hpp>

namespace weft {

/// a + b, broadcast.
Tensor add(const Tensor& a, const Tensor& b);

/// Sums a over the axes along which `shape` was broadcast to a's shape. Throws Error if it does not broadcast so.
Tensor sum_to(const Tensor& a, const Shape& shape);

}  // namespace weft

#pragma once
// The ops that the engine itself needs; ops/ defines them.
#include <weft/engine/tensor.hpp>

namespace weft {

/// a + b, broadcast.
Tensor add(const Tensor& a, const Tensor& b);

/// Sums a over the axes along which `shape` was broadcast to a's shape. Throws Error if it does not broadcast so.
Tensor sum_to(const Tensor& a, const Shape& shape);

/// The same elements in another shape, at most one size of which may be -1 (what is left).
Tensor reshape(const Tensor& a, const Shape& shape);

/// Beside each other along a new axis.
Tensor stack(const Tensors& parts, int axis = 0);

}  // namespace weft

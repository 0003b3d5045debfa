#pragma once
// Choosing by index.
#include <weft/engine/tensor.hpp>

namespace weft {

/// Rows of `a` along an axis, at the positions in `index` (i64, one axis, each in [0, size)). A row chosen twice gets
/// both gradients.
Tensor index_select(const Tensor& a, int axis, const Tensor& index);

}  // namespace weft

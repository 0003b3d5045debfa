#pragma once
// A tensor's shape around one of its axes.
#include <weft/engine/shape.hpp>
#include <weft/ops/kernels/loops/collapsed.hpp>

namespace weft::detail {

/// (outer, axis, inner): the sizes before and after an axis, multiplied.
inline Collapsed around(const Shape& shape, int axis) {
  Collapsed sizes{1, shape[axis], 1};
  for (int i = 0; i < axis; ++i) sizes.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) sizes.inner *= shape[i];
  return sizes;
}

/// The shape with another size of one axis.
inline Shape with_size(Shape shape, int axis, std::int64_t size) {
  shape[axis] = size;
  return shape;
}

}  // namespace weft::detail

#pragma once
// A tensor's shape around one of its axes.
#include <weft/engine/error.hpp>
#include <weft/engine/shape.hpp>
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <algorithm>

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

/// Positions start, start + step, ... of an axis, `count` of them.
struct Positions {
  std::int64_t start, count, step;
  std::int64_t stop() const { return count == 0 ? start : start + (count - 1) * step + 1; }
};

/// Those of a slice, by Python's rule. Throws Error naming `op` for a step below 1.
inline Positions positions(const char* op, std::int64_t start, std::int64_t stop, std::int64_t step,
                           std::int64_t size) {
  if (step < 1) fail(op, ": got step ", step, ", needs at least 1");
  const auto cut = [size](std::int64_t at) { return std::clamp(at < 0 ? at + size : at, std::int64_t{0}, size); };
  const std::int64_t first = cut(start), last = cut(stop);
  return {first, last > first ? (last - first - 1) / step + 1 : 0, step};
}

}  // namespace weft::detail

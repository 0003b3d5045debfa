#pragma once
// Shape and order. reshape and its relatives share storage; all others copy. (reshape and stack are declared in
// engine/ops_needed.hpp.)
#include <weft/engine/ops_needed.hpp>
#include <weft/engine/tensor.hpp>

#include <utility>

namespace weft {

/// Axes from `first` to `last` become one.
Tensor flatten(const Tensor& a, int first = 0, int last = -1);
/// Removes an axis of size 1.
Tensor squeeze(const Tensor& a, int axis);
/// Adds an axis of size 1 before `axis` of the result.
Tensor unsqueeze(const Tensor& a, int axis);
/// The last two axes exchanged.
Tensor transpose(const Tensor& a);
/// Axis i of the result is axis order[i] of a.
Tensor permute(const Tensor& a, const Axes& order);
Tensor swap_axes(const Tensor& a, int i, int j);
/// a repeated along axes of size 1 (or missing in front) to `shape`.
Tensor broadcast_to(const Tensor& a, const Shape& shape);
/// One after another along an axis; all other sizes agree.
Tensor concat(const Tensors& parts, int axis = -1);
/// Parts of `size` along an axis; the last may be smaller.
Tensors split(const Tensor& a, std::int64_t size, int axis = -1);
/// n parts of equal size (rounded up) along an axis; the last may be smaller, and there may be fewer.
Tensors chunk(const Tensor& a, std::int64_t n, int axis = -1);
/// Positions start, start + step, ... before stop along an axis; negative start and stop count from the end, and both
/// are cut to the axis, as in Python. step is at least 1.
Tensor slice(const Tensor& a, int axis, std::int64_t start, std::int64_t stop, std::int64_t step = 1);
/// Backwards along the axes; none means all.
Tensor flip(const Tensor& a, const Axes& axes = {});
/// Moved on by `shift` positions along an axis; what leaves at one end comes in at the other.
Tensor roll(const Tensor& a, std::int64_t shift, int axis);
/// Surrounds a with `value`: {before, after} for each axis.
Tensor pad(const Tensor& a, const std::vector<std::pair<std::int64_t, std::int64_t>>& amounts, double value = 0);

}  // namespace weft

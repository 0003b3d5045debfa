#pragma once
// Copies that rearrange. They move elements of 1, 4 or 8 bytes (`width`) and never look inside; y must not overlap x.
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <cstdint>

namespace weft::detail {

/// y[i * y_strides] = x[i * x_strides] for every index i of shape. Strides count elements and may be 0 (x: broadcast)
/// or negative (flip). Axes are merged and the two innermost copied in tiles, so a transpose runs at cache speed.
void copy_strided(const void* x, const std::int64_t* x_strides, void* y, const std::int64_t* y_strides,
                  const std::int64_t* shape, int rank, int width);

/// y's axis a is x's axis order[a]; shape is x's.
void permute(const void* x, void* y, const std::int64_t* shape, const int* order, int rank, int width);

/// y of `shape` repeats x along the axes where x_shape is 1 (both of the same rank: pad x_shape with leading ones).
void broadcast_copy(const void* x, const std::int64_t* x_shape, void* y, const std::int64_t* shape, int rank,
                    int width);

/// y = x backwards along each axis where reversed[a].
void flip(const void* x, void* y, const std::int64_t* shape, const bool* reversed, int rank, int width);

/// y = `value` (one element) everywhere, with x at offset before[a] on each axis.
void pad_constant(const void* x, const std::int64_t* x_shape, void* y, const std::int64_t* y_shape,
                  const std::int64_t* before, const void* value, int rank, int width);

/// y (outer, count, inner) takes positions start, start + step, ... of x's axis; step may be negative.
void slice_copy(const void* x, Collapsed x_shape, void* y, std::int64_t start, std::int64_t step, std::int64_t count,
                int width);

/// The reverse: y is zeros, with x (outer, count, inner) at positions start, start + step, ... of its axis.
void slice_scatter(const void* x, void* y, Collapsed y_shape, std::int64_t start, std::int64_t step, std::int64_t count,
                   int width);

/// y (outer, sum of axes, inner) joins `count` parts; part k is (outer, axes[k], inner).
void concat(const void* const* parts, const std::int64_t* axes, int count, void* y, std::int64_t outer,
            std::int64_t inner, int width);

/// The reverse: x (outer, sum of axes, inner) is cut into `count` parts. A null part is skipped.
void split(const void* x, void* const* parts, const std::int64_t* axes, int count, std::int64_t outer,
           std::int64_t inner, int width);

/// y[o, (a + shift) mod axis, i] = x[o, a, i]; -axis < shift < axis.
void roll(const void* x, void* y, Collapsed shape, std::int64_t shift, int width);

}  // namespace weft::detail

#pragma once
// Repeating, and choosing or writing regular parts: slices, triangles, diagonals. Any dtype.
#include <weft/engine/tensor.hpp>

namespace weft {

/// Each position along an axis n times, one after the other (PyTorch's repeat_interleave). n is at least 0.
Tensor repeat(const Tensor& a, std::int64_t n, int axis);
/// All of `a` so many times along each axis, as tiles; axes that the counts or `a` lack are added in front.
Tensor tile(const Tensor& a, const Shape& counts);
/// Matrices (the last two axes) with zeros above the k-th diagonal: what has column - row <= k stays. k counts from the
/// main diagonal, upwards.
Tensor tril(const Tensor& a, std::int64_t k = 0);
/// Matrices with zeros below the k-th diagonal: what has column - row >= k stays.
Tensor triu(const Tensor& a, std::int64_t k = 0);
/// Of a vector the matrix that has it on its main diagonal and zeros elsewhere; of a matrix the main diagonal.
Tensor diag(const Tensor& a);
/// The main diagonals of the last two axes: {..., rows, columns} gives {..., min(rows, columns)}.
Tensor diagonal(const Tensor& a);
/// `a` with `source`, broadcast, in the place of slice(a, axis, start, stop, step); `a` itself stays as it is.
Tensor slice_put(const Tensor& a, int axis, std::int64_t start, std::int64_t stop, const Tensor& source,
                 std::int64_t step = 1);

}  // namespace weft

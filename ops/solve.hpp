#pragma once
// Systems of linear equations. Matrices are the last two axes, all axes before them a batch. f32 and f64.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The X of A X = B, for square A {..., n, n}: B is {..., n, k}, or has a vector for each matrix, {n} or A's shape
/// without its last axis. Batches are broadcast. By LU factorisation with partial pivoting. Throws Error if a pivot is
/// exactly 0, so that the matrix is singular; a nearly singular one gives large numbers.
Tensor solve(const Tensor& a, const Tensor& b);
/// The inverse of square matrices. Throws Error as solve does; `solve(a, b)` is more accurate than `inverse(a)` times
/// b.
Tensor inverse(const Tensor& a);

struct TriangularOptions {
  bool upper = false;          ///< the upper triangle counts, not the lower one
  bool left = true;            ///< A X = B; otherwise X A = B
  bool unitriangular = false;  ///< the diagonal is taken as ones and not read
};
/// The X of A X = B, where one triangle of square A {..., n, n} counts and the other is not read (its gradient is 0); B
/// is {..., n, k}. Batches are broadcast. A zero on the diagonal is no error: infinities and nans come out.
Tensor triangular_solve(const Tensor& a, const Tensor& b, const TriangularOptions& options = {});

}  // namespace weft

#pragma once
// Linear systems on raw row-major memory: triangular ones, and those factored into triangles. T is float or double.
// Sizes are below 2^31 (check_matrix_sizes).
#include <cstdint>

namespace weft::detail {

/// Throws Error naming `op` if a size does not fit LAPACK's int.
void check_matrix_sizes(const char* op, std::int64_t rows, std::int64_t columns);

/// Which triangle of a matrix counts, and how.
struct Triangular {
  bool upper = false;
  bool transposed = false;  // the triangle as stored is taken transposed
  bool right = false;       // X op(A) = B, not op(A) X = B
  bool unit = false;        // ones on the diagonal, which is not read
};

/// b, m x n, becomes the X of op(A) X = B or X op(A) = B; a is m x m or n x n. A zero on the diagonal gives infinities
/// and nans.
template <class T>
void triangular_solve(const Triangular& form, std::int64_t m, std::int64_t n, const T* a, T* b);

/// Each of `count` n x n matrices becomes L U, where A = L U P: L is lower triangular with the pivots on its diagonal,
/// U upper triangular with ones on its diagonal (not stored), and P exchanges column i with column pivots[i] for
/// i = n - 1, ..., 0. (LAPACK's getrf of the transpose.) Pivots may be zero.
template <class T>
void lu_factor(T* a, std::int64_t* pivots, std::int64_t count, std::int64_t n);

/// b, n x k, becomes the X of A X = B, or of A' X = B, for what lu_factor made of A.
template <class T>
void lu_solve(bool transposed, std::int64_t n, std::int64_t k, const T* lu, const std::int64_t* pivots, T* b);

/// Each of `count` symmetric n x n matrices, whose lower triangles are read, becomes the lower triangular L of
/// A = L L'. Returns which is the first that is not positive definite, -1 if there is none.
template <class T>
std::int64_t cholesky(T* a, std::int64_t count, std::int64_t n);

}  // namespace weft::detail

#pragma once
// Factorisations of batches of `count` matrices into orthogonal parts, by LAPACK, on raw row-major memory. T is float
// or double. Sizes are below 2^31 (check_matrix_sizes).
#include <cstdint>

namespace weft::detail {

/// a, m x n with m >= n, is q r: q is m x n with orthonormal columns, r n x n and upper triangular. The signs are those
/// of Householder reflections (geqrf): nothing makes the diagonal of r positive.
template <class T>
void qr(const T* a, T* q, T* r, std::int64_t count, std::int64_t m, std::int64_t n);

/// a, m x n, is u diag(s) vt with k = min(m, n) columns of u (m x k), s in descending order and rows of vt (k x n).
/// Returns which matrix is the first that has a nan or an infinity or does not converge, -1 if there is none.
template <class T>
std::int64_t svd(const T* a, T* u, T* s, T* vt, std::int64_t count, std::int64_t m, std::int64_t n);

/// The eigenvalues of a symmetric n x n matrix, whose lower triangle is read, in ascending order; its eigenvectors are
/// the columns of `vectors`. Returns as svd does.
template <class T>
std::int64_t eigh(const T* a, T* values, T* vectors, std::int64_t count, std::int64_t n);

/// a, k x m with k <= m, is the transpose of a product: a' = qt' l' wt, where qt is k x m and wt k x k, both with
/// orthonormal rows, and l k x k and lower triangular: then the pseudo-inverse of a' is wt' (l')^-1 qt. Where a's rank
/// r is below k, rows of wt from r on are 0, and those of l are the identity's. `tolerance` says from which part of the
/// largest singular value on a smaller one counts as 0. A nan or infinity gives nans.
/// (A complete orthogonal decomposition: Golub and Van Loan, Matrix Computations, 4th edition, section 5.4.7.)
template <class T>
void orthogonal_factors(const T* a, T* qt, T* l, T* wt, T tolerance, std::int64_t count, std::int64_t m,
                        std::int64_t k);

}  // namespace weft::detail

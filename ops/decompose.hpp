#pragma once
// Decompositions of matrices {..., m, n}, the last two axes; all axes before them are a batch. f32 and f64.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The lower triangular L of A = L L', for symmetric positive definite A. Only the lower triangle of A is read; the
/// gradient is symmetric. Throws Error for a matrix that is not positive definite.
Tensor cholesky(const Tensor& a);

/// {Q, R} of A = Q R, reduced: with k = min(m, n), Q is {..., m, k} with orthonormal columns, R {..., k, n} upper
/// triangular. R's diagonal has the signs that LAPACK's Householder reflections give it (geqrf, as in NumPy and
/// PyTorch), not only positive ones. The first k columns of A have to be independent for there to be a gradient;
/// otherwise it is infinite or nan.
Tensors qr(const Tensor& a);

/// {U, S, V'} of A = U diag(S) V', reduced: with k = min(m, n), U is {..., m, k} and V' {..., k, n}, S {..., k}
/// descends. The signs of the singular vectors are LAPACK's (gesdd), and where singular values agree so are the
/// vectors: only functions that do not depend on these choices have a gradient. That of S alone always exists (its
/// second order only where values differ); along U and V' it is infinite or nan where two singular values agree, or
/// where one is 0 and A is not square (as in PyTorch). Throws Error for nan and infinity.
Tensors svd(const Tensor& a);

/// {eigenvalues in ascending order {..., n}, eigenvectors as columns {..., n, n}} of symmetric matrices. Only the lower
/// triangle of A is read; the gradient is symmetric. The signs of the eigenvectors are LAPACK's (syevd), and where
/// eigenvalues agree so are the vectors: only functions that do not depend on these choices have a gradient, infinite
/// or nan along the vectors where eigenvalues agree. Throws Error for nan and infinity.
Tensors eigh(const Tensor& a);

}  // namespace weft

#pragma once
// Determinants of square matrices {..., n, n}: {...}. f32 and f64.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The determinant; 1 of an empty matrix. Its gradient is the matrix of cofactors, right for singular matrices too
/// (where PyTorch gives 0), and so are those of higher order; the third is nan where a nearly singular matrix has equal
/// singular values.
Tensor det(const Tensor& a);
/// log(det(a)), without overflow of the determinant; nan where that is negative, and minus infinity where it is 0. The
/// gradient is the transposed inverse: 0 where the determinant is negative, infinite or nan where it is 0 (as in
/// PyTorch).
Tensor logdet(const Tensor& a);

}  // namespace weft

#pragma once
// Products of vectors, and the trace. f32 and f64.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The sum of the products of two vectors' elements, {n} both.
Tensor dot(const Tensor& a, const Tensor& b);
/// Every element of the one vector times every element of the other, {m} and {n}: {m, n}.
Tensor outer(const Tensor& a, const Tensor& b);
/// The sum of the diagonal of matrices {..., m, n}: {...}. (PyTorch's takes one matrix.)
Tensor trace(const Tensor& a);

}  // namespace weft

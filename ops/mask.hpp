#pragma once
// Choosing by mask. A mask is u8, what is not 0 is chosen; any dtype.
#include <weft/engine/tensor.hpp>

namespace weft {

/// `a` with `value` where the mask is not 0; the two are broadcast. The gradient is 0 there.
Tensor masked_fill(const Tensor& a, const Tensor& mask, double value);
/// The values where the mask is not 0, in row-major order, along one axis; the two are broadcast.
Tensor masked_select(const Tensor& a, const Tensor& mask);
/// Where `a`, of any dtype, is not 0 (nan is not): i64 {count, rank}, an index a row, in row-major order.
Tensor nonzero(const Tensor& a);

}  // namespace weft

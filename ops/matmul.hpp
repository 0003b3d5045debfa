#pragma once
// Matrix products.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The matrix product of the last two axes, all axes before them broadcast; a vector on the left is a row, on the right
/// a column, whose axis the result lacks (as numpy.matmul). f32 and f64.
Tensor matmul(const Tensor& a, const Tensor& b);
/// x w + b over the last axis: x {..., in}, w {in, out}, b {out} or undefined.
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b = Tensor());

}  // namespace weft

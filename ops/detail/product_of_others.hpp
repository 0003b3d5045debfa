#pragma once
// The slope of a product, for its gradient.
#include <weft/engine/tensor.hpp>

namespace weft::detail {

/// For each value the product of all others along the axis, f32 and f64; differentiable to any order. Defined beside
/// the running products that its own slope is made of.
Tensor product_of_others(const Tensor& a, int axis);

}  // namespace weft::detail

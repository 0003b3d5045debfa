#pragma once
// A part of the tape that is made again in backward.
#include <weft/engine/function.hpp>

namespace weft::detail {

/// Other handles on the inputs, with places of their own on the tape: where a function's part of it begins. Undefined
/// ones stay so.
Tensors enter(const Tensors& inputs);
/// The gradients of f(inputs), weighted, on the tape: for the backward of an op whose kernels know no second order,
/// with f the same from ops.
Tensors recorded_gradients(const MapOfSeveral& f, const Tensors& inputs, const Tensors& gradients);

}  // namespace weft::detail

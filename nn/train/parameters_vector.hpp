#pragma once
// Parameters as one vector.
#include <weft/engine/tensor.hpp>

namespace weft::nn {

/// The elements of tensors one after another, as one vector; connected to the tape. Throws Error unless all have one
/// dtype.
Tensor parameters_to_vector(const Tensors& parameters);
/// Writes such a vector back, in place and unrecorded. Throws Error, before anything changes, unless it has as many
/// elements, of their dtype.
void vector_to_parameters(const Tensor& vector, const Tensors& parameters);

}  // namespace weft::nn

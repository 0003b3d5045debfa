#pragma once
// Tensors by name: parameters, saved state, what is in a file.
#include <weft/engine/tensor.hpp>

#include <string>
#include <utility>
#include <vector>

namespace weft::nn {

/// Tensors with their names, in order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

}  // namespace weft::nn

namespace weft::detail {

/// The saved tensors in the order of `wanted`. Throws Error, which begins with `who`, unless the two have the same
/// names with the same shapes and dtypes. If not strict, what is not saved is undefined and what is not wanted is left
/// out.
Tensors matched(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted,
                bool strict = true);

}  // namespace weft::detail

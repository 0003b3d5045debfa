#pragma once
// Tensors by name: parameters, saved state, what is in a file.
#include <weft/engine/tensor.hpp>

#include <string>
#include <utility>
#include <vector>

namespace weft::nn {

/// Tensors with their names, in order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Short texts with their names.
using Notes = std::vector<std::pair<std::string, std::string>>;

}  // namespace weft::nn

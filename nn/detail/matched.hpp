#pragma once
// Saved tensors brought together with those that they are for.
#include <weft/nn/named_tensors.hpp>

namespace weft::detail {

/// The saved tensors in the order of `wanted`. Throws Error, which begins with `who`, unless the two have the same
/// names with the same shapes and dtypes. If not strict, what is not saved is undefined and what is not wanted is left
/// out.
Tensors matched(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted,
                bool strict = true);

}  // namespace weft::detail

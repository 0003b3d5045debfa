#pragma once
// What a function whose derivatives are asked for is called with.
#include <weft/engine/tensor.hpp>

namespace weft::detail {

/// The input itself if it is a leaf that requires a gradient: the function may know it otherwise, as a module knows its
/// parameters. Else such a leaf in its place, on storage of its own or the same.
inline Tensor argument_for(const Tensor& input, bool own_storage = false) {
  if (input.is_leaf() && input.requires_grad()) return input;
  Tensor leaf = own_storage ? input.detach().clone() : input.detach();
  leaf.set_requires_grad(true);
  return leaf;
}

}  // namespace weft::detail

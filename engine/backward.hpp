#pragma once
// Gradients of recorded computations.
#include <weft/engine/tensor.hpp>

namespace weft {

struct GradOptions {
  Tensors grad_outputs = {};  ///< weights of the outputs' gradients, one an output; by default 1 for single elements
  bool retain_graph = false;  ///< keep what was saved, so that the graph can be differentiated again
  bool create_graph = false;  ///< record the gradients' own computation (implies retain_graph)
  bool allow_unused = false;  ///< an input that no output depends on: an undefined gradient instead of an Error
};

/// The gradients of the outputs (weighted and summed) with respect to each input, a leaf or a computed tensor. Leaves'
/// .grad() stays as it is. Only what leads to the inputs is computed.
Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options = {});
Tensors grad(const Tensor& output, const Tensors& inputs, const GradOptions& options = {});

}  // namespace weft

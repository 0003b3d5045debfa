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

/// A leaf, and the gradient that a backward() has for it.
struct LeafGradient {
  Tensor leaf, gradient;
};

/// Base of what every backward() of a thread tells of the gradients of leaves as each becomes final, while the rest is
/// still being computed: sums over several processes can be under way by then. (grad() tells nothing.)
class BackwardObserver {
 public:
  virtual ~BackwardObserver() = default;
  /// Nothing that is still to be differentiated adds to the gradient of this leaf. It is not to be changed here.
  virtual void ready(const Tensor& leaf, const Tensor& gradient) = 0;
  /// All are: what this makes of the list is what the leaves' hooks are given and what is added to .grad().
  virtual void finish(std::vector<LeafGradient>& gradients) = 0;
};

/// While it lives, each backward() of this thread tells this observer, and not the one before.
class ObserveBackward {
 public:
  [[nodiscard]] explicit ObserveBackward(BackwardObserver& observer);
  ~ObserveBackward();
  ObserveBackward(const ObserveBackward&) = delete;
  ObserveBackward& operator=(const ObserveBackward&) = delete;

 private:
  BackwardObserver* before_;
};

}  // namespace weft

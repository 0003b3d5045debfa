#pragma once
// Comparing gradients with differences of function values.
#include <weft/engine/function.hpp>

namespace weft {

struct GradcheckOptions {
  int order = 1;       ///< 2: the gradient's own gradient too, and so on
  double eps = 1e-6;   ///< step of the central differences
  double atol = 1e-5;  ///< a difference |analytic - numeric| up to atol + rtol * |numeric| passes
  double rtol = 1e-3;
  bool fast = false;  ///< compare along two random directions an input instead of element by element
};

struct GradcheckResult {
  bool ok = true;
  std::string message;     ///< where they differ first: ops, order, input, element, both values; empty if ok
  double max_error = 0.0;  ///< the largest difference met; nan if one was
  explicit operator bool() const { return ok; }
};

/// Checks the gradients of f by central differences with respect to every element of every f64 input, one output
/// element at a time; where that would take long (more than 2000 output elements) for random weights of the outputs.
/// f gets leaf copies of the inputs. Leaves that require a gradient go in as they are, and so do i64 and u8 inputs: the
/// gradients with respect to a module's parameters are checked too if these are among the inputs,
///   gradcheck([&](const Tensors& in) { return net(in[0]); }, {x, net.parameters()[0]})
/// (their elements are moved meanwhile and put back). What f uses besides is constant, and the gradient of an input
/// that f ignores is zero. Random draws in f are the same at every call. An order above 1 does the same with the
/// function that maps inputs and output weights to the gradient. Outputs that record nothing count as having a gradient
/// of zero, but if no f64 output records anything, or no input is f64, there is nothing to check and the result is not
/// ok. Throws Error if an input or output is f32 (differences need f64), or if f does not give results of the same
/// sizes each time.
GradcheckResult gradcheck(const MapOfSeveral& f, const Tensors& inputs, const GradcheckOptions& options = {});
GradcheckResult gradcheck(const Function& f, const Tensor& input, const GradcheckOptions& options = {});

}  // namespace weft

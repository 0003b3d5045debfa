#pragma once
// Derivatives of functions, as opposed to gradients of recorded results.
#include <weft/engine/function.hpp>

namespace weft {

struct TransformOptions {
  /// Record the derivative's own computation: it can then be differentiated with respect to inputs that require a
  /// gradient and to tensors that the function uses besides. Otherwise the result is a constant.
  bool create_graph = false;
};

// In all of these `f` may be the name of an op: `jacobian(tanh, x)`. An input that the function does not depend on has
// derivatives of zero. Inputs are f32 or f64. Leaves that require a gradient go in as they are, and their .grad() stays
// as it is: with a module's parameters among the inputs these are the derivatives with respect to them, though the
// function takes them from the module,
//   hvp([&](const Tensors&) { return nn::mse(net(x), y); }, net.parameters(), directions)
// A leaf that is given twice has the derivative of both together. Other inputs reach the function as its argument only.

/// Cotangent times Jacobian: the gradient of f at x, weighted by v, which is shaped as f(x). Reverse mode, one pass.
Tensor vjp(const Function& f, const Tensor& x, const Tensor& v, TransformOptions options = {});
Tensors vjp(const FunctionOfSeveral& f, const Tensors& x, const Tensor& v, TransformOptions options = {});

/// Jacobian times tangent: the derivative of f at x in the direction d, which is shaped as x. By differentiating the
/// vjp with respect to its cotangent, on which it depends linearly.
Tensor jvp(const Function& f, const Tensor& x, const Tensor& d, TransformOptions options = {});
Tensor jvp(const FunctionOfSeveral& f, const Tensors& x, const Tensors& d, TransformOptions options = {});

/// All partial derivatives of f at x, one vjp for each element of f(x). Its shape is f(x)'s followed by x's.
Tensor jacobian(const Function& f, const Tensor& x, TransformOptions options = {});
Tensors jacobian(const FunctionOfSeveral& f, const Tensors& x, TransformOptions options = {});

/// Second derivatives of a function with one element as its result; the shape is x's, twice. Of several inputs:
/// hessian(...)[i][j], shaped as input i and input j.
Tensor hessian(const Function& f, const Tensor& x, TransformOptions options = {});
std::vector<Tensors> hessian(const FunctionOfSeveral& f, const Tensors& x, TransformOptions options = {});

/// Hessian times direction, without the Hessian: the gradient of the gradient along d (Pearlmutter 1994).
Tensor hvp(const Function& f, const Tensor& x, const Tensor& d, TransformOptions options = {});
Tensors hvp(const FunctionOfSeveral& f, const Tensors& x, const Tensors& d, TransformOptions options = {});

}  // namespace weft

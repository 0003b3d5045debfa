#include <weft/engine/functional.hpp>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/detail/arguments.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/ops_needed.hpp>

namespace weft {
namespace {

Shape joined(Shape shape, const Shape& rest) {
  for (std::int64_t d : rest) shape.append(d);
  return shape;
}

// What f is called with. A computed tensor goes in as it is where derivatives are to be connected to it.
Tensors arguments(const char* op, const Tensors& xs, bool connected) {
  Tensors result;
  for (const Tensor& x : xs) {
    detail::check_floating(op, x);
    result.push_back(connected && x.requires_grad() ? x : detail::argument_for(x));
  }
  return result;
}

void check_like(const char* op, const char* what, const Tensor& got, const Tensor& needed) {
  if (got.shape() != needed.shape() || got.dtype() != needed.dtype())
    fail(op, ": got a ", what, " of ", got.dtype(), " ", got.shape(), ", needs ", needed.dtype(), " ", needed.shape());
}
void check_directions(const char* op, const Tensors& xs, const Tensors& directions) {
  if (xs.size() != directions.size()) fail(op, ": got ", directions.size(), " directions for ", xs.size(), " inputs");
  for (std::size_t i = 0; i < xs.size(); ++i) check_like(op, "direction", directions[i], xs[i]);
}

// Gradients with zeros for what does not depend, in outputs that may not depend on anything.
Tensors gradients(const Tensors& outputs, const Tensors& inputs, const Tensors& seeds, bool retain, bool create) {
  Tensors result = detail::connected_gradients(outputs, inputs,
                                               {.grad_outputs = seeds, .retain_graph = retain, .create_graph = create});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!result[i].defined()) result[i] = zeros_like(inputs[i]);
  return result;
}

// The Jacobians of y with respect to the arguments.
Tensors jacobians(const Tensor& y, const Tensors& xs, bool create) {
  std::vector<Tensors> rows(xs.size());
  for (std::int64_t k = 0; k < y.size(); ++k) {
    Tensor seed = zeros_like(y);
    detail::visit_floating(y.dtype(), [&](auto zero) { detail::mutable_data_of<decltype(zero)>(seed)[k] = 1; });
    Tensors row = gradients({y}, xs, {seed}, true, create);
    for (std::size_t i = 0; i < xs.size(); ++i) rows[i].push_back(std::move(row[i]));
  }
  Tensors result;
  const detail::GradMode mode(create);
  for (std::size_t i = 0; i < xs.size(); ++i)
    result.push_back(rows[i].empty() ? zeros(joined(y.shape(), xs[i].shape()), xs[i].dtype())
                                     : reshape(stack(rows[i]), joined(y.shape(), xs[i].shape())));
  return result;
}

Tensor one_element(const char* op, const Tensor& y) {
  if (y.size() != 1) fail(op, ": the function's result has shape ", y.shape(), ", needs one element");
  return y;
}

FunctionOfSeveral of_several(const Function& f) {
  return [&f](const Tensors& xs) { return f(xs[0]); };
}

}  // namespace

Tensors vjp(const FunctionOfSeveral& f, const Tensors& x, const Tensor& v, TransformOptions options) {
  const EnableGrad on;
  const Tensors xs = arguments("vjp", x, options.create_graph);
  const Tensor y = f(xs);
  check_like("vjp", "cotangent", v, y);
  return gradients({y}, xs, {v}, false, options.create_graph);
}

Tensor jvp(const FunctionOfSeveral& f, const Tensors& x, const Tensors& d, TransformOptions options) {
  check_directions("jvp", x, d);
  const EnableGrad on;
  const Tensors xs = arguments("jvp", x, options.create_graph);
  const Tensor y = f(xs);
  detail::check_floating("jvp", y);
  Tensor cotangent = zeros_like(y);
  cotangent.set_requires_grad(true);
  const Tensors g = gradients({y}, xs, {cotangent}, true, true);
  return gradients(g, {cotangent}, d, false, options.create_graph)[0];
}

Tensors jacobian(const FunctionOfSeveral& f, const Tensors& x, TransformOptions options) {
  const EnableGrad on;
  const Tensors xs = arguments("jacobian", x, options.create_graph);
  const Tensor y = f(xs);
  detail::check_floating("jacobian", y);
  return jacobians(y, xs, options.create_graph);
}

std::vector<Tensors> hessian(const FunctionOfSeveral& f, const Tensors& x, TransformOptions options) {
  const EnableGrad on;
  const Tensors xs = arguments("hessian", x, options.create_graph);
  const Tensor y = one_element("hessian", f(xs));
  std::vector<Tensors> result;
  for (const Tensor& g : gradients({y}, xs, {ones_like(y)}, true, true))
    result.push_back(jacobians(g, xs, options.create_graph));
  return result;
}

Tensors hvp(const FunctionOfSeveral& f, const Tensors& x, const Tensors& d, TransformOptions options) {
  check_directions("hvp", x, d);
  const EnableGrad on;
  const Tensors xs = arguments("hvp", x, options.create_graph);
  const Tensor y = one_element("hvp", f(xs));
  const Tensors g = gradients({y}, xs, {ones_like(y)}, true, true);
  return gradients(g, xs, d, false, options.create_graph);
}

Tensor vjp(const Function& f, const Tensor& x, const Tensor& v, TransformOptions options) {
  return vjp(of_several(f), Tensors{x}, v, options)[0];
}
Tensor jvp(const Function& f, const Tensor& x, const Tensor& d, TransformOptions options) {
  return jvp(of_several(f), Tensors{x}, Tensors{d}, options);
}
Tensor jacobian(const Function& f, const Tensor& x, TransformOptions options) {
  return jacobian(of_several(f), Tensors{x}, options)[0];
}
Tensor hessian(const Function& f, const Tensor& x, TransformOptions options) {
  return hessian(of_several(f), Tensors{x}, options)[0][0];
}
Tensor hvp(const Function& f, const Tensor& x, const Tensor& d, TransformOptions options) {
  return hvp(of_several(f), Tensors{x}, Tensors{d}, options)[0];
}

}  // namespace weft

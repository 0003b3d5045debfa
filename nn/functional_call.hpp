#pragma once
// A module as a function of its parameters.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// Internal: a module's tensors exchanged for others, for a scope.
class Exchanged {
 public:
  [[nodiscard]] Exchanged(Module& module, const NamedTensors& tensors);
  ~Exchanged();
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;

 private:
  std::shared_ptr<void> scope_;
};

/// module(x), computed with these tensors in the place of the parameters and buffers that have their dotted names. It
/// is differentiable through them; names that are left out keep the module's own tensors, and a tensor that the module
/// uses in several places (under either name) is exchanged in all. After the call the module is as it was, also if
/// forward throws. What forward writes into a buffer, as batch norm does, it writes into the given tensor where one was
/// given. A checkpoint inside sees the given tensors again in backward. Further arguments go to a forward that takes
/// several.
///
/// A step of gradient descent that can itself be differentiated (meta-learning):
///   NamedTensors stepped;
///   const Tensors g = grad(loss(net(x), y), net.parameters(), {.create_graph = true});
///   for (const auto& [name, p] : net.named_parameters()) stepped.emplace_back(name, p - rate * g[stepped.size()]);
///   loss(nn::functional_call(net, stepped, x2), y2).backward();
/// The gradient of each row's loss (a layer that mixes rows, batch norm in training, has none):
///   for (std::int64_t i = 0; i < x.size(0); ++i)
///     rows.push_back(grad(loss(net(slice(x, 0, i, i + 1)), slice(y, 0, i, i + 1)), net.parameters()));
///   const Tensor weights = stack({rows[0][0], rows[1][0], ...});  // {rows, ...}, of the first parameter
/// Several nets in one struct: nn::functional_call(net, states[k], x), where states[k] is as state() gives it.
///
/// Calls may stand inside each other, of the same module too. Those of one module on several threads take turns, but a
/// plain call on another thread may see the given tensors: threads that use a module at once need a clone() each.
/// Throws Error, and has changed nothing, if a name does not exist, a tensor has another shape or dtype, two names of
/// one shared tensor are given different ones, or the module has registered a tensor by name without a Param or Buffer.
template <class M, class... Args>
decltype(auto) functional_call(M& module, const NamedTensors& tensors, Args&&... args) {
  static_assert(std::derived_from<M, Module>, "functional_call: needs a module, the tensors, and what forward takes");
  const Exchanged scope(module, tensors);
  if constexpr (requires { module(std::forward<Args>(args)...); })
    return module(std::forward<Args>(args)...);
  else
    return module.inside([&]() -> decltype(auto) { return module.forward(std::forward<Args>(args)...); });
}
template <class M, class... Args>
decltype(auto) functional_call(const std::shared_ptr<M>& module, const NamedTensors& tensors, Args&&... args) {
  if (!module) fail("functional_call: got a null module");
  return functional_call(*module, tensors, std::forward<Args>(args)...);
}

}  // namespace weft::nn

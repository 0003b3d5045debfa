#pragma once
// Trading time for memory: computing a part of the graph again instead of keeping what it saved.
#include <weft/engine/function.hpp>

namespace weft {

namespace detail {
Tensors checkpoint(MapOfSeveral f, const Tensors& inputs);
}  // namespace detail

/// f(inputs), keeping for backward only the inputs; backward calls f again, with the same random draws, and
/// differentiates that (Chen et al., "Training deep nets with sublinear memory cost", 2016). Works under create_graph
/// and inside other checkpoints. Tensors that f uses besides its inputs, such as a module's parameters, get their
/// gradients too: they are found by recording f once in the forward pass, so for the time of that call f's saved
/// tensors are held, as they are in backward.
/// Limits: f must compute the same each time; what it does besides happens twice, unless it asks recomputing(), as
/// batch norm does before it moves its running statistics; a tensor that it captured must not have been exchanged for
/// another one in between.
template <class F>
auto checkpoint(F&& f, const Tensors& inputs) {
  MapOfSeveral map(f);
  if constexpr (std::is_convertible_v<std::invoke_result_t<F&, const Tensors&>, Tensor>)
    return detail::checkpoint(std::move(map), inputs)[0];
  else
    return detail::checkpoint(std::move(map), inputs);
}
Tensor checkpoint(const Function& f, const Tensor& input);

/// Whether a checkpoint's function is being called for the second time on this thread.
bool recomputing();

}  // namespace weft

#pragma once
// Trading time for memory: computing a part of the graph again instead of keeping what it saved.
#include <weft/engine/tensor.hpp>

namespace weft {

/// f(inputs), keeping for backward only the inputs; backward calls f again, with the same random draws, and
/// differentiates that (Chen et al., "Training deep nets with sublinear memory cost", 2016). Works under create_graph
/// and inside other checkpoints. Tensors that f uses besides its inputs, such as a module's parameters, get their
/// gradients too: they are found by recording f once in the forward pass, so for the time of that call f's saved
/// tensors are held, as they are in backward.
/// Limits: f must compute the same each time; what it does besides (updating running statistics, say) happens twice;
/// a tensor that it captured must not have been exchanged for another one in between.
Tensors checkpoint(std::function<Tensors(const Tensors&)> f, const Tensors& inputs);
Tensor checkpoint(std::function<Tensor(const Tensors&)> f, const Tensors& inputs);
Tensor checkpoint(std::function<Tensor(const Tensor&)> f, const Tensor& input);

}  // namespace weft

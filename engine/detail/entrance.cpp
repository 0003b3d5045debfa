#include <weft/engine/detail/entrance.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/op.hpp>

namespace weft {
namespace {

// Another handle on the value, with a place of its own on the tape: where a function's part of it begins.
struct Entrance {
  static constexpr const char* name = "entrance";
  static Tensor forward(Context&, const Tensor& x) { return x.detach(); }
  static Tensors backward(Context&, const Tensor& g) { return {g}; }
};

}  // namespace

Tensors detail::enter(const Tensors& inputs) {
  Tensors entered;
  for (const Tensor& input : inputs) entered.push_back(input.defined() ? apply(Entrance{}, input) : Tensor());
  return entered;
}

Tensors detail::recorded_gradients(const MapOfSeveral& f, const Tensors& inputs, const Tensors& gradients) {
  const Tensors entered = enter(inputs);
  const std::uint64_t floor = Node::next_stamp();
  return connected_gradients(f(entered), entered, {.grad_outputs = gradients, .create_graph = true}, floor);
}

}  // namespace weft

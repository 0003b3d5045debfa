#include <weft/engine/checkpoint.hpp>

#include <unordered_set>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/tape.hpp>
#include <weft/engine/tensor_extras.hpp>

namespace weft {
namespace {

// Another handle on the value, with a place of its own on the tape: where f's part of it begins.
struct Entrance : Op<Entrance> {
  static constexpr const char* name = "checkpoint_input";
  static Tensor forward(Context&, const Tensor& x) { return x.detach(); }
  static Tensors backward(Context&, const Tensor& g) { return {g}; }
};

Tensors enter(const Tensors& inputs) {
  Tensors entered;
  for (const Tensor& input : inputs) entered.push_back(apply<Entrance>(input));
  return entered;
}

// A tensor with the place of an edge's end but without its value: enough to lead a gradient there.
Tensor place_of(const detail::Edge& edge) {
  if (edge.is_leaf()) return Tensor(detail::Ref<detail::TensorImpl>::share(edge.leaf()));
  Tensor place = detail::alias(empty({0}, edge.dtype), edge.shape());
  place.impl()->node = detail::Ref<Node>::share(edge.node()).take();
  place.impl()->output_index = edge.output;
  return place;
}

// What the outputs depend on that was there before `floor`, other than the entrances.
Tensors captured_by(const Tensors& outputs, const Tensors& entrances, std::uint64_t floor) {
  struct Key {
    std::uintptr_t target;
    std::uint32_t output;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const { return std::hash<std::uintptr_t>()(key.target) * 31 + key.output; }
  };
  std::unordered_set<Key, Hash> seen;
  for (const Tensor& entrance : entrances)
    if (const Node* node = entrance.impl()->node) seen.insert({reinterpret_cast<std::uintptr_t>(node), 0});
  Tensors captured;
  const auto look_at = [&](const detail::Edge& edge) {
    if (edge.target == 0 || (!edge.is_leaf() && edge.node()->stamp() >= floor)) return;
    if (seen.insert({edge.target, edge.is_leaf() ? 0 : edge.output}).second) captured.push_back(place_of(edge));
  };
  for (const Node* node : detail::nodes_behind(outputs, floor))
    for (int i = 0; i < node->input_count(); ++i) look_at(node->edge(i));
  for (const Tensor& output : outputs) {  // one that f hands through
    detail::Edge edge;
    if (const Node* node = output.impl()->node)
      edge.target = reinterpret_cast<std::uintptr_t>(node);
    else if (output.requires_grad())
      edge.target = reinterpret_cast<std::uintptr_t>(output.impl()) + 1;
    edge.output = output.impl()->output_index;
    edge.dtype = output.dtype();
    edge.sizes = output.shape().begin();
    edge.rank = static_cast<std::uint8_t>(output.rank());
    look_at(edge);
  }
  return captured;
}

struct Recipe {
  std::function<Tensors(const Tensors&)> f;
  detail::Draws draws;
  std::size_t inputs = 0;
};

struct Checkpoint : Op<Checkpoint> {
  static constexpr const char* name = "checkpoint";
  std::shared_ptr<Recipe> recipe;
  Tensors captured;

  // `all`: the inputs, then what f captured. The outputs have been computed.
  Tensors forward(Context& context, const Tensors& all, const std::shared_ptr<Recipe>& how,
                  const std::function<Tensors()>& outputs) {
    recipe = how;
    for (std::size_t i = 0; i < how->inputs; ++i) context.save(all[i]);
    captured.assign(all.begin() + static_cast<std::ptrdiff_t>(how->inputs), all.end());
    return outputs();
  }

  Tensors backward(Context& context, const Tensors& gradients) {
    const bool record = grad_enabled();
    const EnableGrad on;
    Tensors inputs;
    for (std::size_t i = 0; i < recipe->inputs; ++i) inputs.push_back(context.saved(static_cast<int>(i)));
    Tensors targets = enter(inputs);
    const Tensors arguments = targets;
    targets.insert(targets.end(), captured.begin(), captured.end());
    const std::uint64_t floor = NodeAccess::next_stamp();
    const Tensors outputs = [&] {
      const detail::DrawScope again(recipe->draws, detail::DrawScope::Mode::repeat);
      return recipe->f(arguments);
    }();
    if (outputs.size() != gradients.size())
      fail("checkpoint: the function gave ", outputs.size(), " results when computed again, needs ", gradients.size());

    Tensors connected, wanted, result(targets.size());
    std::vector<std::size_t> places;
    GradOptions options{.create_graph = record, .allow_unused = true};
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].requires_grad()) continue;
      connected.push_back(outputs[k]);
      options.grad_outputs.push_back(gradients[k]);
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (!targets[i].requires_grad() || !context.needs(static_cast<int>(i))) continue;
      wanted.push_back(targets[i]);
      places.push_back(i);
    }
    if (connected.empty() || wanted.empty()) return result;
    Tensors found = detail::grad_down_to(floor, connected, wanted, options);
    for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = std::move(found[i]);
    return result;
  }
};

}  // namespace

Tensors checkpoint(std::function<Tensors(const Tensors&)> f, const Tensors& inputs) {
  if (!grad_enabled()) return f(inputs);
  const auto recipe = std::make_shared<Recipe>();
  recipe->f = std::move(f);
  recipe->inputs = inputs.size();
  Tensors all = inputs, results;
  {
    const Tensors entrances = enter(inputs);
    const std::uint64_t floor = NodeAccess::next_stamp();
    const detail::DrawScope note(recipe->draws, detail::DrawScope::Mode::note);
    const Tensors outputs = recipe->f(entrances);
    const Tensors captured = captured_by(outputs, entrances, floor);
    all.insert(all.end(), captured.begin(), captured.end());
    for (const Tensor& output : outputs) results.push_back(output.detach());
  }
  return apply<Checkpoint>(all, recipe, std::function<Tensors()>([&] { return std::move(results); }));
}

Tensor checkpoint(std::function<Tensor(const Tensors&)> f, const Tensors& inputs) {
  return checkpoint([f = std::move(f)](const Tensors& in) { return Tensors{f(in)}; }, inputs)[0];
}

Tensor checkpoint(std::function<Tensor(const Tensor&)> f, const Tensor& input) {
  return checkpoint([f = std::move(f)](const Tensors& in) { return Tensors{f(in[0])}; }, {input})[0];
}

}  // namespace weft

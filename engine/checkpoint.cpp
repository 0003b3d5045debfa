#include <weft/engine/checkpoint.hpp>

#include <set>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/detail/entrance.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/detail/surroundings.hpp>
#include <weft/engine/random.hpp>

namespace weft {
namespace {

// A tensor with the place of a computed one but without its value: enough to lead a gradient there.
Tensor place_of(Node* node, std::uint32_t output, const detail::Meta& meta) {
  Tensor place = detail::alias(empty({0}, meta.dtype), meta.shape());
  place.impl()->node = detail::Ref<Node>::share(node).take();
  place.impl()->output_index = output;
  return place;
}

// What the outputs depend on that was there before `floor`, other than the entrances.
Tensors captured_by(const Tensors& outputs, const Tensors& entrances, std::uint64_t floor) {
  std::set<std::pair<const void*, std::uint32_t>> seen;
  for (const Tensor& entrance : entrances)
    if (const Node* node = entrance.impl()->node) seen.insert({node, 0});
  Tensors captured;
  const auto add_leaf = [&](detail::TensorImpl* leaf) {
    if (seen.insert({leaf, 0}).second) captured.emplace_back(detail::Ref<detail::TensorImpl>::share(leaf));
  };
  const auto add_computed = [&](Node* node, std::uint32_t output, const detail::Meta& meta) {
    if (node->stamp() < floor && seen.insert({node, output}).second) captured.push_back(place_of(node, output, meta));
  };
  for (const Node* node : detail::nodes_behind(outputs, floor)) {
    for (int i = 0; i < node->input_count(); ++i) {
      const detail::Edge& edge = node->edge(i);
      if (edge.target == 0) continue;
      if (edge.is_leaf())
        add_leaf(edge.leaf());
      else
        add_computed(edge.node(), edge.output, edge);
    }
  }
  for (const Tensor& output : outputs) {  // one that f hands through
    const std::uint32_t index = output.impl()->output_index;
    if (Node* node = output.impl()->node)
      add_computed(node, index, node->output(static_cast<int>(index)));
    else if (output.requires_grad())
      add_leaf(output.impl());
  }
  return captured;
}

thread_local bool second_call = false;

class SecondCall {
 public:
  SecondCall() : outer_(std::exchange(second_call, true)) {}
  ~SecondCall() { second_call = outer_; }
  SecondCall(const SecondCall&) = delete;
  SecondCall& operator=(const SecondCall&) = delete;

 private:
  bool outer_;
};

struct Replay {
  MapOfSeveral f;
  detail::Draws draws;
  detail::Surroundings surroundings;
  std::size_t inputs = 0, saved = 0;
};

struct Checkpoint {
  static constexpr const char* name = "checkpoint";
  std::shared_ptr<Replay> replay;
  Tensors* computed;  // the outputs, which forward only hands on

  // `all`: the inputs, then what f captured, saved like inputs so that a change in place is noticed.
  Tensors forward(Context& context, const Tensors& all) {
    for (const Tensor& t : all) context.save(t);
    return std::move(*std::exchange(computed, nullptr));
  }

  Tensors backward(Context& context, const Tensors& gradients) const {
    const bool record = grad_enabled();
    const EnableGrad on;
    Tensors all;
    for (std::size_t i = 0; i < replay->saved; ++i) all.push_back(context.saved(static_cast<int>(i)));
    const auto captured = all.begin() + static_cast<std::ptrdiff_t>(replay->inputs);
    const Tensors arguments = detail::enter({all.begin(), captured});
    Tensors targets = arguments;
    targets.insert(targets.end(), captured, all.end());
    const std::uint64_t floor = Node::next_stamp();
    const Tensors outputs = [&] {
      const SecondCall second;
      const detail::Surrounded as_before(replay->surroundings);
      const detail::DrawScope again(replay->draws, detail::DrawScope::Mode::repeat);
      return replay->f(arguments);
    }();
    if (outputs.size() != gradients.size())
      fail("checkpoint: the function gave ", outputs.size(), " results when computed again, needs ", gradients.size());

    for (std::size_t i = 0; i < targets.size(); ++i)
      if (!context.needs(static_cast<int>(i))) targets[i] = Tensor();
    return detail::connected_gradients(outputs, targets, {.grad_outputs = gradients, .create_graph = record}, floor);
  }
};

}  // namespace

bool recomputing() { return second_call; }

Tensors detail::checkpoint(MapOfSeveral f, const Tensors& inputs) {
  if (!grad_enabled()) return f(inputs);
  const auto replay = std::make_shared<Replay>(Replay{std::move(f), {}, detail::surroundings(), inputs.size()});
  Tensors all = inputs, results;
  {
    const Tensors entrances = enter(inputs);
    const std::uint64_t floor = Node::next_stamp();
    const detail::DrawScope note(replay->draws, detail::DrawScope::Mode::note);
    const Tensors outputs = replay->f(entrances);
    const Tensors captured = captured_by(outputs, entrances, floor);
    all.insert(all.end(), captured.begin(), captured.end());
    for (const Tensor& output : outputs) results.push_back(output.detach());
  }
  replay->saved = all.size();
  return weft::apply(Checkpoint{replay, &results}, all);
}

Tensor checkpoint(const Function& f, const Tensor& input) {
  return checkpoint([f](const Tensors& in) { return f(in[0]); }, Tensors{input});
}

}  // namespace weft

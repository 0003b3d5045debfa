#include <weft/engine/backward.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <unordered_map>

#include <weft/engine/frontier.hpp>
#include <weft/engine/ops_needed.hpp>
#include <weft/engine/tape.hpp>
#include <weft/engine/tensor_extras.hpp>

namespace weft {
namespace detail {

Tensor run_hooks(const std::vector<std::shared_ptr<Hook>>& hooks, Tensor gradient) {
  for (const auto& hook : hooks) {
    if (!*hook) continue;  // taken off
    Tensor replaced = (*hook)(gradient);
    if (!replaced.defined()) continue;
    if (replaced.shape() != gradient.shape() || replaced.dtype() != gradient.dtype())
      fail("hook: returned ", replaced.dtype(), " ", replaced.shape(), " for a gradient of ", gradient.dtype(), " ",
           gradient.shape());
    gradient = std::move(replaced);
  }
  return gradient;
}

namespace {

// Adds to a gradient that may still be empty: in place where nobody else can see it.
void accumulate(Tensor& sum, Tensor&& gradient, bool recording) {
  if (!sum.defined()) {
    sum = std::move(gradient);
  } else if (!recording && uniquely_held(sum)) {
    sum.add_(gradient);
  } else if (!recording && uniquely_held(gradient)) {
    gradient.add_(sum);
    sum = std::move(gradient);
  } else {
    sum = add(sum, gradient);
  }
}

// Which edges of the nodes, in the order the sweep meets them, lead to a wanted input.
struct Plan {
  std::vector<const Node*> nodes;
  std::vector<std::size_t> first;  // of each node's edges in `wanted`
  std::unique_ptr<bool[]> wanted;
};

struct Target {
  std::uintptr_t key;  // as Edge::target
  std::uint32_t output;
};

Target target_of(const Tensor& t) {
  TensorImpl* impl = t.impl();
  if (impl->node != nullptr) return {reinterpret_cast<std::uintptr_t>(impl->node), impl->output_index};
  return {reinterpret_cast<std::uintptr_t>(impl) + 1, 0};
}

bool is_target(const std::unordered_map<std::uintptr_t, std::vector<std::uint32_t>>& targets, const Edge& edge) {
  const auto found = targets.find(edge.target);
  return found != targets.end() &&
         std::find(found->second.begin(), found->second.end(), edge.output) != found->second.end();
}

Plan make_plan(const Tensors& outputs, const std::vector<Target>& wanted_inputs, std::uint64_t floor) {
  std::unordered_map<std::uintptr_t, std::vector<std::uint32_t>> targets;
  for (const Target& target : wanted_inputs) targets[target.key].push_back(target.output);

  Plan plan;
  Frontier<std::size_t> frontier;  // the value: a number in the order of discovery
  std::size_t discovered = 0;
  const auto discover = [&](Node* node) {
    auto [number, fresh] = frontier.find_or_add(node);
    if (fresh) *number = discovered++;
    return *number;
  };
  for (const Tensor& output : outputs)
    if (Node* node = output.impl()->node; node != nullptr && node->stamp() >= floor) discover(node);

  constexpr auto no_node = static_cast<std::size_t>(-1);
  std::vector<std::size_t> numbers, reached;  // of each node; of each edge's node
  std::size_t edges = 0;
  while (!frontier.empty()) {
    auto [node, number] = frontier.pop();
    plan.nodes.push_back(node);
    plan.first.push_back(edges);
    numbers.push_back(number);
    for (int i = 0; i < node->input_count(); ++i, ++edges) {
      const Edge& edge = node->edge(i);
      const bool ends = edge.target == 0 || edge.is_leaf() || edge.node()->stamp() < floor;
      reached.push_back(ends ? no_node : discover(edge.node()));
    }
  }
  // From the inputs up: an edge is wanted if it is a target or its node has a wanted edge.
  plan.wanted = std::make_unique<bool[]>(std::max<std::size_t>(edges, 1));
  const auto leads_on = std::make_unique<bool[]>(std::max<std::size_t>(discovered, 1));
  for (std::size_t k = plan.nodes.size(); k-- > 0;) {
    for (int i = 0; i < plan.nodes[k]->input_count(); ++i) {
      const std::size_t e = plan.first[k] + static_cast<std::size_t>(i);
      plan.wanted[e] = (reached[e] != no_node && leads_on[reached[e]]) || is_target(targets, plan.nodes[k]->edge(i));
      if (plan.wanted[e]) leads_on[numbers[k]] = true;
    }
  }
  return plan;
}

// Gradients of a node's outputs while consumers of them are still to come. One output needs no list.
struct Pending {
  Tensor first;
  Tensors others;  // of outputs 1, 2, ...

  Tensor& of(const Node* node, std::uint32_t output) {
    if (output == 0) return first;
    if (others.empty()) others.resize(static_cast<std::size_t>(node->output_count()) - 1);
    return others[output - 1];
  }
};

void check_finite(const Node* node, const Tensor& gradient, int input) {
  visit_floating(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* data = data_of<T>(gradient);
    for (std::int64_t i = 0; i < gradient.size(); ++i) {
      if (std::isfinite(data[i])) continue;
      const NodeExtras* extras = NodeAccess::extras(node);
      const std::string where = extras != nullptr ? extras->recorded_at : std::string();
      fail("anomaly: backward of ", node->op_name(), " gave ", static_cast<double>(data[i]),
           " in the gradient of input ", input, " (shape ", gradient.shape(), ", element ", i, ")",
           where.empty() ? std::string("; record under Anomaly to see where") : "; recorded at " + where);
    }
  });
}

// One pass over the tape from the newest needed node to the oldest.
class Sweep {
 public:
  Sweep(bool retain, bool record, const Plan* plan, std::uint64_t floor = 0)
      : retain_(retain), record_(record), plan_(plan), floor_(floor) {}

  void seed(const Tensor& output, Tensor gradient) {
    TensorImpl* impl = output.impl();
    if (impl->node != nullptr)
      accumulate(frontier_.find_or_add(impl->node).first->of(impl->node, impl->output_index), std::move(gradient),
                 record_);
    else
      add_leaf(impl, std::move(gradient));
  }
  // Asks for the gradient of a computed tensor.
  void capture(const Node* node, std::uint32_t output, Tensor* into) { captures_[node].push_back({output, into}); }

  void run() {
    const GradMode mode(record_);
    while (!frontier_.empty()) {
      auto [node, pending] = frontier_.pop();
      for (int i = 0; i < node->input_count(); ++i) __builtin_prefetch(node->edge(i).node());  // visited next, far away
      const bool* mask = mask_of(node);
      take_outputs(node, pending);
      if (plan_ != nullptr && mask == nullptr) continue;
      if (node->released())
        fail("backward: the graph of ", node->op_name(), " was already differentiated and freed, needs retain_graph");
      Context context = NodeAccess::context(node, mask);
      inputs_.assign(static_cast<std::size_t>(node->input_count()), Tensor());
      node->run_backward(context, outputs_, inputs_.data());
      for (int i = 0; i < node->input_count(); ++i)
        if (context.needs(i)) deliver(node, i, std::move(inputs_[static_cast<std::size_t>(i)]));
      if (!retain_) NodeAccess::release_saved(node);
    }
  }

  struct LeafGradient {
    Ref<TensorImpl> leaf;
    Tensor gradient;
  };
  std::vector<LeafGradient>& leaves() { return leaves_; }

 private:
  // The wanted edges of a node, null for all without a plan; with one, null if none is. Nodes come in the plan's order.
  const bool* mask_of(const Node* node) {
    if (plan_ == nullptr) return nullptr;
    if (node->stamp() < floor_) return nullptr;
    while (plan_->nodes[next_planned_] != node) ++next_planned_;
    const bool* mask = plan_->wanted.get() + plan_->first[next_planned_];
    return std::any_of(mask, mask + node->input_count(), [](bool wanted) { return wanted; }) ? mask : nullptr;
  }

  void take_outputs(Node* node, Pending& pending) {
    outputs_.resize(static_cast<std::size_t>(node->output_count()));
    for (std::uint32_t k = 0; k < outputs_.size(); ++k) {
      Tensor& gradient = outputs_[k];
      gradient = std::move(pending.of(node, k));
      if (!gradient.defined()) {
        gradient =
            make_tensor("backward", node->output(static_cast<int>(k)).shape(), node->output(static_cast<int>(k)).dtype);
        gradient.zero_();
        continue;
      }
      if (const NodeExtras* extras = NodeAccess::extras(node); extras != nullptr && node->stamp() >= floor_) {
        for (std::size_t h = 0; h < extras->hooks.size(); ++h)
          if (extras->hooks[h].output == k) gradient = run_hooks({extras->hooks[h].hook}, std::move(gradient));
        for (const auto& [output, kept] : extras->retained)
          if (output == k)
            if (const auto alive = kept.lock()) alive->grad = gradient;
      }
    }
    if (captures_.empty()) return;
    const auto found = captures_.find(node);
    if (found == captures_.end()) return;
    for (const auto& [output, into] : found->second) *into = outputs_[output];
  }

  void deliver(const Node* node, int i, Tensor&& gradient) {
    if (!gradient.defined()) return;
    const Edge& edge = node->edge(i);
    if (gradient.dtype() != edge.dtype)
      fail("backward of ", node->op_name(), ": the gradient of input ", i, " is ", gradient.dtype(), ", needs ",
           edge.dtype);
    if (!edge.has_shape(gradient.shape())) {
      const Shape needed = edge.shape();
      gradient = sum_to(gradient, needed);
    }
    if (anomaly_enabled()) check_finite(node, gradient, i);
    if (edge.is_leaf()) {
      add_leaf(edge.leaf(), std::move(gradient));
    } else {
      Node* target = edge.node();
      accumulate(frontier_.find_or_add(target).first->of(target, edge.output), std::move(gradient), record_);
    }
  }

  void add_leaf(TensorImpl* leaf, Tensor&& gradient) {
    const auto [at, fresh] = leaf_numbers_.try_emplace(leaf, leaves_.size());
    if (fresh) leaves_.push_back({Ref<TensorImpl>::share(leaf), Tensor()});
    accumulate(leaves_[at->second].gradient, std::move(gradient), record_);
  }

  bool retain_, record_;
  const Plan* plan_;
  std::uint64_t floor_;  // nodes older than this are not the sweep's
  std::size_t next_planned_ = 0;
  Frontier<Pending> frontier_;
  Tensors outputs_, inputs_;
  std::unordered_map<const Node*, std::vector<std::pair<std::uint32_t, Tensor*>>> captures_;
  std::unordered_map<const TensorImpl*, std::size_t> leaf_numbers_;
  std::vector<LeafGradient> leaves_;
};

Tensor checked_seed(const char* op, const Tensor& output, const Tensor& seed) {
  if (!output.requires_grad())
    fail(op, ": the result of shape ", output.shape(), " does not depend on anything that requires a gradient");
  if (!seed.defined()) {
    if (output.size() != 1) fail(op, ": got a result of shape ", output.shape(), ", needs one element or a seed");
    Tensor one = make_tensor(op, output.shape(), output.dtype());
    one.fill_(1.0);
    return one;
  }
  if (seed.shape() != output.shape() || seed.dtype() != output.dtype())
    fail(op, ": got a seed of ", seed.dtype(), " ", seed.shape(), ", needs the result's ", output.dtype(), " ",
         output.shape());
  return seed;
}

std::mutex leaf_mutex;  // leaves are shared between threads that differentiate different graphs

}  // namespace
}  // namespace detail

void Tensor::backward(const Tensor& seed, BackwardOptions options) const {
  using namespace detail;
  const bool record = options.create_graph;
  Sweep sweep(options.retain_graph || record, record, nullptr);
  sweep.seed(*this, checked_seed("backward", *this, seed));
  sweep.run();
  // Only now, after everything that can fail but the hooks: a failure leaves the gradients as they were.
  const GradMode mode(record);
  for (auto& [leaf, gradient] : sweep.leaves())
    if (leaf->extras) gradient = run_hooks(leaf->extras->hooks, std::move(gradient));
  const std::lock_guard lock(leaf_mutex);
  for (auto& [leaf, gradient] : sweep.leaves()) {
    // A leaf's gradient is memory of its own: whoever changes it in place changes nothing else.
    if (!record && !uniquely_held(gradient)) gradient = gradient.clone();
    accumulate(extras_of(leaf.get()).grad, std::move(gradient), record);
  }
}

Tensors detail::grad_down_to(std::uint64_t floor, const Tensors& outputs, const Tensors& inputs,
                             const GradOptions& options) {
  if (!options.grad_outputs.empty() && options.grad_outputs.size() != outputs.size())
    fail("grad: got ", options.grad_outputs.size(), " grad_outputs for ", outputs.size(), " outputs, needs one each");
  Tensors seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    seeds.push_back(
        checked_seed("grad", outputs[i], options.grad_outputs.empty() ? Tensor() : options.grad_outputs[i]));
  std::vector<Target> targets;
  for (const Tensor& input : inputs) {
    if (!input.requires_grad()) fail("grad: an input of shape ", input.shape(), " does not require a gradient");
    targets.push_back(target_of(input));
  }
  const Plan plan = make_plan(outputs, targets, floor);
  Sweep sweep(options.retain_graph || options.create_graph, options.create_graph, &plan, floor);
  Tensors gradients(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (const Node* node = inputs[i].impl()->node) sweep.capture(node, targets[i].output, &gradients[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) sweep.seed(outputs[i], std::move(seeds[i]));
  sweep.run();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (const auto& [leaf, gradient] : sweep.leaves())
      if (leaf.get() == inputs[i].impl())
        gradients[i] = leaf->extras && floor == 0 ? run_hooks(leaf->extras->hooks, gradient) : gradient;
    if (!gradients[i].defined() && !options.allow_unused)
      fail("grad: no output depends on input ", i, " of shape ", inputs[i].shape(), ", needs allow_unused");
  }
  return gradients;
}

Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options) {
  return detail::grad_down_to(0, outputs, inputs, options);
}

Tensors grad(const Tensor& output, const Tensors& inputs, const GradOptions& options) {
  return grad(Tensors{output}, inputs, options);
}

}  // namespace weft

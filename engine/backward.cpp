#include <weft/engine/backward.hpp>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <unordered_map>

#include <weft/engine/detail/extras.hpp>
#include <weft/engine/detail/frontier.hpp>
#include <weft/engine/detail/plan.hpp>
#include <weft/engine/detail/thread_state.hpp>
#include <weft/engine/observer.hpp>
#include <weft/engine/ops_needed.hpp>
#include <weft/engine/scope.hpp>

namespace weft {
namespace detail {

namespace {

Tensor run_leaf_hooks(const TensorImpl* leaf, Tensor gradient) {
  std::shared_ptr<HookList> hooks;
  {
    const std::lock_guard lock(extras_mutex);
    if (leaf->extras) hooks = leaf->extras->hooks;
  }
  return hooks ? hooks->run(0, std::move(gradient)) : gradient;
}

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

// Gradients of a node's outputs while consumers of them are still to come. One output needs no list.
struct Pending {
  Tensor first;
  std::unique_ptr<Tensor[]> others;  // of outputs 1, 2, ...

  Tensor& of(const Node* node, std::uint32_t output) {
    if (output == 0) return first;
    if (others == nullptr) others = std::make_unique<Tensor[]>(static_cast<std::size_t>(node->output_count()) - 1);
    return others[output - 1];
  }
};

void check_finite(const Node* node, const Tensor& gradient, int input) {
  visit_floating(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* data = data_of<T>(gradient);
    for (std::int64_t i = 0; i < gradient.size(); ++i) {
      if (std::isfinite(data[i])) continue;
      const NodeExtras* extras = node->extras();
      const bool noted = extras != nullptr && !extras->recorded_at.empty();
      const std::string calls = noted ? described_calls(extras->recorded_at) : std::string();
      const std::string where = calls.empty() ? calls : "; recorded at " + calls;
      fail("anomaly: backward of ", node->op_name(), " gave ", static_cast<double>(data[i]),
           " in the gradient of input ", input, " (shape ", gradient.shape(), ", element ", i, ")",
           noted ? where : std::string("; record under Anomaly to see where"));
    }
  });
}

// One pass over the tape from the newest needed node to the oldest.
class Sweep {
 public:
  Sweep(bool retain, bool record, const Plan* plan, std::uint64_t floor = 0)
      : retain_(retain), record_(record), plan_(plan), floor_(floor) {
    if (plan != nullptr) captured_.resize(plan->targets.size());
  }

  void seed(const Tensor& output, Tensor gradient) {
    roots_.push_back(output);
    TensorImpl* impl = output.impl();
    if (impl->node != nullptr)
      accumulate(frontier_.find_or_add(impl->node).first->of(impl->node, impl->output_index), std::move(gradient),
                 record_);
    else
      add_leaf(impl, std::move(gradient));
  }
  void run() {
    const GradMode mode(record_);
    const Scope scope(this_thread.scope);  // put back at the end
    try {
      while (!frontier_.empty()) {
        auto [node, pending] = frontier_.pop();
        visit(node, pending);
      }
    } catch (const Error&) {
      rethrow_with_path();
    }
  }
  /// The same, telling of leaves.
  void run(BackwardObserver& observer) {
    observer_ = &observer;
    for (const Node* node : nodes_behind(roots_))
      for (int i = 0; i < node->input_count(); ++i)
        if (const Edge& edge = node->edge(i); edge.is_leaf()) ++uses_[edge.leaf()];
    run();
    // Those that a node would have added to which no gradient has come to, and results that are leaves themselves.
    for (const LeafGradient& one : leaves_)
      if (const auto found = uses_.find(one.leaf.impl()); found == uses_.end() || found->second > 0)
        observer.ready(one.leaf, one.gradient);
    observer.finish(leaves_);
  }

  std::vector<LeafGradient>& leaves() { return leaves_; }

  struct KeptGradient {
    std::shared_ptr<Extras> of;
    Tensor gradient;
  };
  /// Of computed tensors that retain_grad() was called for.
  std::vector<KeptGradient>& kept() { return kept_; }
  /// Of computed tensors, by the number of the plan's target.
  Tensor& captured(std::size_t target) { return captured_[target]; }

 private:
  void visit(Node* node, Pending& pending) {
    this_thread.scope = node->scope();
    for (int i = 0; i < node->input_count(); ++i) __builtin_prefetch(node->edge(i).node());  // visited next, far away
    const bool* mask = mask_of(node);
    take_outputs(node, pending);
    if (plan_ != nullptr && mask == nullptr) return;
    if (node->released())
      fail("backward: the graph of ", node->op_name(), " was already differentiated and freed, needs retain_graph");
    if (!node->kind().takes_absent) fill_unused(node);
    Context context = node->context(mask);
    inputs_.resize(static_cast<std::size_t>(node->input_count()));
    if (this_thread.observers == nullptr)
      node->kind().backward(node->op(), context, outputs_, inputs_.data(), inputs_.size());
    else
      run_observed(node, context);
    for (int i = 0; i < node->input_count(); ++i)
      if (Tensor given = std::move(inputs_[static_cast<std::size_t>(i)]); given.defined() && context.needs(i))
        deliver(node, i, std::move(given));
    if (!retain_) node->release_saved();
    if (observer_ != nullptr) tell_of_leaves(node);
  }

  void tell_of_leaves(const Node* node) {
    for (int i = 0; i < node->input_count(); ++i) {
      const Edge& edge = node->edge(i);
      if (!edge.is_leaf() || --uses_[edge.leaf()] > 0) continue;
      if (const auto found = leaf_numbers_.find(edge.leaf()); found != leaf_numbers_.end())
        observer_->ready(leaves_[found->second].leaf, leaves_[found->second].gradient);
    }
  }

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
      if (!gradient.defined()) continue;
      if (const NodeExtras* extras = node->extras(); extras != nullptr && node->stamp() >= floor_) {
        if (const auto hooks = extras->hooks) gradient = hooks->run(k, std::move(gradient));
        if (plan_ == nullptr)
          for (const auto& [output, kept] : extras->retained)
            if (output == k)
              if (auto alive = kept.lock()) kept_.push_back({std::move(alive), gradient});
      }
      if (plan_ != nullptr)
        if (const std::size_t target = plan_->targets.find(Place(node, k)); target != Targets::none)
          captured_[target] = gradient;
    }
  }

  void run_observed(Node* node, Context& context) {
    const Tensors held = outputs_;  // so that no op writes in the place of what observers are shown
    std::vector<const Tensor*> given;
    for (const Tensor& gradient : held) given.push_back(&gradient);
    OpCall call(node->kind(), node->op(), Pass::backward, node->scope(), given);
    Observe::tell_before(call);
    try {
      node->kind().backward(node->op(), context, outputs_, inputs_.data(), inputs_.size());
    } catch (...) {
      Observe::tell_after(call);
      throw;
    }
    call.set_outputs(inputs_);
    Observe::tell_after(call);
  }

  // Of an op's outputs some may not have been used.
  void fill_unused(const Node* node) {
    for (std::size_t k = 0; k < outputs_.size(); ++k) {
      if (outputs_[k].defined()) continue;
      const Meta& output = node->output(static_cast<int>(k));
      outputs_[k] = make_tensor("backward", output.shape(), output.dtype);
      outputs_[k].zero_();
    }
  }

  void deliver(const Node* node, int i, Tensor&& gradient) {
    const Edge& edge = node->edge(i);
    if (gradient.dtype() != edge.dtype)
      fail("backward of ", node->op_name(), ": the gradient of input ", i, " is ", gradient.dtype(), ", needs ",
           edge.dtype);
    if (!edge.has_shape(gradient.shape())) {
      const Shape needed = edge.shape();
      if (!broadcasts_to(needed, gradient.shape()))
        fail("backward of ", node->op_name(), ": the gradient of input ", i, " has shape ", gradient.shape(),
             ", needs ", needed);
      gradient = sum_to(gradient, needed);
    }
    if (this_thread.checking_anomalies) check_finite(node, gradient, i);
    if (edge.is_leaf()) {
      if (edge.leaf()->dtype != edge.dtype)
        fail("backward of ", node->op_name(), ": input ", i, " has become ", edge.leaf()->dtype, ", needs the ",
             edge.dtype, " that it was");
      add_leaf(edge.leaf(), std::move(gradient));
    } else {
      Node* target = edge.node();
      accumulate(frontier_.find_or_add(target).first->of(target, edge.output), std::move(gradient), record_);
    }
  }

  void add_leaf(TensorImpl* leaf, Tensor&& gradient) {
    const auto [at, fresh] = leaf_numbers_.try_emplace(leaf, leaves_.size());
    if (fresh) leaves_.push_back({Tensor(Ref<TensorImpl>::share(leaf)), Tensor()});
    accumulate(leaves_[at->second].gradient, std::move(gradient), record_);
  }

  bool retain_, record_;
  const Plan* plan_;
  std::uint64_t floor_;  // nodes older than this are not the sweep's
  std::size_t next_planned_ = 0;
  Frontier<Pending> frontier_;
  Tensors roots_;  // held: a hook may drop the caller's
  Tensors outputs_, inputs_, captured_;
  std::vector<KeptGradient> kept_;
  std::unordered_map<const TensorImpl*, std::size_t> leaf_numbers_;
  std::vector<LeafGradient> leaves_;
  BackwardObserver* observer_ = nullptr;
  std::unordered_map<const TensorImpl*, std::int64_t> uses_;  // by nodes still to come, where there is an observer
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

}  // namespace
}  // namespace detail

void Tensor::backward(const Tensor& seed, BackwardOptions options) const {
  using namespace detail;
  const bool record = options.create_graph;
  Sweep sweep(options.retain_graph || record, record, nullptr);
  sweep.seed(*this, checked_seed("backward", *this, seed));
  if (this_thread.backward_observer != nullptr)
    sweep.run(*this_thread.backward_observer);
  else
    sweep.run();
  // Only now, after everything that can fail but the hooks: a failure leaves the gradients as they were.
  const GradMode mode(record);
  for (auto& [leaf, gradient] : sweep.leaves()) gradient = run_leaf_hooks(leaf.impl(), std::move(gradient));
  const std::lock_guard lock(extras_mutex);
  const auto leave = [&](Extras& extras, Tensor&& gradient) {
    // A gradient that is left is memory of its own: whoever changes it in place changes nothing else.
    if (!record && !uniquely_held(gradient)) gradient = gradient.clone();
    accumulate(extras.grad, std::move(gradient), record);
  };
  for (auto& [of, gradient] : sweep.kept()) leave(*of, std::move(gradient));
  for (auto& [leaf, gradient] : sweep.leaves()) leave(extras_of(leaf.impl()), std::move(gradient));
}

namespace {

Tensors gradients(const Tensors& outputs, const Tensors& inputs, const GradOptions& options, std::uint64_t floor) {
  using namespace detail;
  Tensors seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    seeds.push_back(
        checked_seed("grad", outputs[i], options.grad_outputs.empty() ? Tensor() : options.grad_outputs[i]));
  Targets targets;
  std::vector<std::size_t> numbers;
  for (const Tensor& input : inputs) {
    if (!input.requires_grad()) fail("grad: an input of shape ", input.shape(), " does not require a gradient");
    numbers.push_back(targets.add(Place::of(input)));
  }
  const auto check_used = [&](std::size_t i, bool used) {
    if (!used && !options.allow_unused)
      fail("grad: no output depends on input ", i, " of shape ", inputs[i].shape(), ", needs allow_unused");
  };
  const Plan plan = make_plan(outputs, std::move(targets), floor);
  for (std::size_t i = 0; i < inputs.size(); ++i) check_used(i, plan.reached[numbers[i]]);
  Sweep sweep(options.retain_graph || options.create_graph, options.create_graph, &plan, floor);
  for (std::size_t i = 0; i < outputs.size(); ++i) sweep.seed(outputs[i], std::move(seeds[i]));
  sweep.run();
  const GradMode mode(options.create_graph);
  for (auto& [leaf, gradient] : sweep.leaves()) {
    const std::size_t target = plan.targets.find(Place(leaf.impl()));
    if (target == Targets::none) continue;
    sweep.captured(target) = floor == 0 ? run_leaf_hooks(leaf.impl(), std::move(gradient)) : std::move(gradient);
  }
  Tensors result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    result.push_back(sweep.captured(numbers[i]));
    check_used(i, result[i].defined());  // an op on the way may give none
  }
  return result;
}

}  // namespace

Tensors detail::connected_gradients(const Tensors& outputs, const Tensors& inputs, const GradOptions& options,
                                    std::uint64_t floor) {
  GradOptions kept = options;
  kept.allow_unused = true;
  kept.grad_outputs.clear();
  Tensors connected, wanted, result(inputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) continue;
    connected.push_back(outputs[i]);
    if (!options.grad_outputs.empty()) kept.grad_outputs.push_back(options.grad_outputs[i]);
  }
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    wanted.push_back(inputs[i]);
    places.push_back(i);
  }
  if (connected.empty() || wanted.empty()) return result;
  Tensors found = gradients(connected, wanted, kept, floor);
  for (std::size_t i = 0; i < places.size(); ++i) result[places[i]] = std::move(found[i]);
  return result;
}

Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options) {
  if (!options.grad_outputs.empty() && options.grad_outputs.size() != outputs.size())
    fail("grad: got ", options.grad_outputs.size(), " grad_outputs for ", outputs.size(), " outputs, needs one each");
  return gradients(outputs, inputs, options, 0);
}

Tensors grad(const Tensor& output, const Tensors& inputs, const GradOptions& options) {
  return grad(Tensors{output}, inputs, options);
}

ObserveBackward::ObserveBackward(BackwardObserver& observer)
    : before_(std::exchange(detail::this_thread.backward_observer, &observer)) {}
ObserveBackward::~ObserveBackward() { detail::this_thread.backward_observer = before_; }

}  // namespace weft

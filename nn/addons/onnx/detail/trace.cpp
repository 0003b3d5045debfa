#include <weft/nn/addons/onnx/detail/trace.hpp>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include <weft/engine/grad_mode.hpp>
#include <weft/engine/observer.hpp>
#include <weft/nn/addons/onnx/detail/operators.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {
namespace {

constexpr const char* fixed_batch = ": symbolic_batch = false writes it for this size";

std::string slashed(std::string path) {
  std::replace(path.begin(), path.end(), '.', '/');
  return path;
}

// Puts the modes of all modules back.
class Evaluating {
 public:
  explicit Evaluating(nn::Module& net) {
    for (const auto& named : net.named_modules()) modes_.emplace_back(named.second, named.second->is_training());
    net.eval();
  }
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;
  ~Evaluating() {
    // train() sets what is below too: whoever is below comes later, or, if shared, once more.
    for (int round = 0; round < 2; ++round)
      for (const auto& [module, mode] : modes_)
        if (module->is_training() != mode) module->train(mode);
  }

 private:
  std::vector<std::pair<nn::Module*, bool>> modes_;
};

// Writes down the ops of one run that were called by no other op.
class Recorder : public Observer {
 public:
  Recorder(nn::Module& net, const Tensors& inputs) {
    for (const Tensor& t : inputs) trace.inputs.push_back(add(t, {TracedValue::input, t}));
    for (const auto& [name, t] : net.named_parameters()) add(t, {TracedValue::parameter, t.detach(), name});
    for (const auto& [name, t] : net.named_buffers()) add(t, {TracedValue::buffer, t.detach(), name});
  }

  void before(const OpCall& call) override {
    if (depth_++ > 0 || !error.empty()) return;
    if (call.pass() == Pass::backward) return stop("it runs backward, which has no counterpart in ONNX");
    for (const Tensor* t : call.inputs()) inputs_.push_back(t->defined() ? number_of(*t) : -1);
  }
  void after(const OpCall& call) override {
    if (--depth_ > 0 || !error.empty()) return;
    TracedOp op{call.op(), slashed(call.module()), call.fields(), std::exchange(inputs_, {}), {}};
    const bool constant = !op.inputs.empty() && std::all_of(op.inputs.begin(), op.inputs.end(), [&](int v) {
      return v < 0 || trace.values[static_cast<std::size_t>(v)].kind == TracedValue::constant;
    });
    for (const Tensor& t : call.outputs())
      op.outputs.push_back(!t.defined() ? -1
                           : constant   ? add(t, {TracedValue::constant, t.clone()})
                                        : add(t, {TracedValue::computed, Tensor()}));
    if (!constant && !op.outputs.empty()) trace.ops.push_back(std::move(op));
  }

  void finish(const Tensors& outputs) {
    if (!error.empty()) fail("onnx::save: ", error);
    for (const Tensor& t : outputs) trace.outputs.push_back(t.defined() ? number_of(t) : -1);
    if (!error.empty()) fail("onnx::save: ", error);
    if (outputs.empty() || std::count(trace.outputs.begin(), trace.outputs.end(), -1) > 0)
      fail("onnx::save: the forward gave no tensor, or an undefined one");
  }

  Trace trace;
  std::string error;  // the first that was wrong: an observer does not throw

 private:
  void stop(const std::string& why) { error = (scope_path().empty() ? "" : scope_path() + ": ") + why; }

  int add(const Tensor& t, TracedValue value) {
    const int number = static_cast<int>(trace.values.size());
    value.shape = t.shape();
    value.dtype = t.dtype();
    trace.values.push_back(std::move(value));
    const weft::detail::Storage* storage = t.impl()->storage.get();
    by_tensor_[t.impl()] = number;
    by_storage_[storage].push_back(number);
    held_.push_back(t);
    versions_.push_back(storage->version);
    return number;
  }

  // Of a tensor, or of another that shares its values (detach); otherwise it is a constant.
  int number_of(const Tensor& t) {
    const weft::detail::Storage* storage = t.impl()->storage.get();
    const auto unchanged = [&](int number) {
      if (storage->version != versions_[static_cast<std::size_t>(number)])
        stop("a tensor is changed in place, which ONNX does not have");
      return number;
    };
    if (const auto found = by_tensor_.find(t.impl()); found != by_tensor_.end()) return unchanged(found->second);
    for (const int number : by_storage_[storage]) {
      const TracedValue& value = trace.values[static_cast<std::size_t>(number)];
      if (value.shape == t.shape() && value.dtype == t.dtype()) return unchanged(number);
    }
    return add(t, {TracedValue::constant, t.clone()});
  }

  int depth_ = 0;
  std::vector<int> inputs_;
  std::unordered_map<const void*, int> by_tensor_;
  std::unordered_map<const void*, std::vector<int>> by_storage_;
  Tensors held_;  // so that no tensor takes another's place
  std::vector<std::uint32_t> versions_;
};

Trace record(nn::Module& net, const Forward& forward, const Tensors& inputs) {
  const NoGrad off;
  Recorder recorder(net, inputs);
  Tensors outputs;
  {
    const Observe observe(recorder);
    outputs = forward(inputs);
  }
  recorder.finish(outputs);
  return std::move(recorder.trace);
}

// The ops that outputs do not depend on are left out.
void prune(Trace& trace) {
  std::vector<bool> needed(trace.values.size());
  for (const int v : trace.outputs) needed[static_cast<std::size_t>(v)] = true;
  std::vector<TracedOp> kept;
  for (auto op = trace.ops.rbegin(); op != trace.ops.rend(); ++op) {
    if (std::none_of(op->outputs.begin(), op->outputs.end(),
                     [&](int v) { return v >= 0 && needed[static_cast<std::size_t>(v)]; }))
      continue;
    for (const int v : op->inputs)
      if (v >= 0) needed[static_cast<std::size_t>(v)] = true;
    kept.push_back(std::move(*op));
  }
  std::reverse(kept.begin(), kept.end());
  trace.ops = std::move(kept);
}

void check_known(const Trace& trace) {
  for (const TracedOp& op : trace.ops)
    if (!operators().write.contains(op.name))
      fail("onnx::save: ", op.path.empty() ? "" : op.path + ": ", op.name, ": the op has no counterpart in ONNX");
}

bool same_values(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && weft::detail::visit_dtype(a.dtype(), [&](auto zero) {
           const auto x = a.data<decltype(zero)>();
           return std::memcmp(x.data(), b.data<decltype(zero)>().data(), x.size_bytes()) == 0;
         });
}

// Two runs, the second with a batch that is one larger, as one.
class Compared {
 public:
  Compared(Trace& first, const Trace& second, std::int64_t batch) : first_(first), second_(second), batch_(batch) {}

  void compare() {
    if (first_.ops.size() != second_.ops.size() || first_.values.size() != second_.values.size() ||
        first_.outputs != second_.outputs)
      fail("onnx::save: with a batch of ", batch_ + 1, " the net runs other ops than with ", batch_, fixed_batch);
    for (std::size_t i = 0; i < first_.ops.size(); ++i) compare(first_.ops[i], second_.ops[i]);
    std::vector<bool> used(first_.values.size());
    const auto use = [&](const std::vector<int>& values) {
      for (const int v : values)
        if (v >= 0) used[static_cast<std::size_t>(v)] = true;
    };
    for (const TracedOp& op : first_.ops) use(op.inputs), use(op.outputs);
    use(first_.inputs), use(first_.outputs);
    for (std::size_t i = 0; i < used.size(); ++i)
      if (used[i]) compare(first_.values[i], second_.values[i]);
  }

 private:
  void compare(TracedOp& op, const TracedOp& other) const {
    if (op.name != other.name || op.inputs != other.inputs || op.outputs != other.outputs)
      fail("onnx::save: with a batch of ", batch_ + 1, " the net runs ", other.name, " in \"", other.path, "\" where ",
           "it runs ", op.name, " in \"", op.path, "\" with ", batch_, fixed_batch);
    if (op.fields.size() != other.fields.size())
      fail("onnx::save: an op ", op.name, " has other fields with a batch of ", batch_ + 1, fixed_batch);
    for (std::size_t i = 0; i < op.fields.size(); ++i)
      if (op.fields[i] != other.fields[i]) op.changed.push_back(op.fields[i].name);
  }

  void compare(TracedValue& value, const TracedValue& other) const {
    if (value.kind != other.kind || value.dtype != other.dtype || value.shape.rank() != other.shape.rank())
      fail("onnx::save: with a batch of ", batch_ + 1, " a value ", other.dtype, " ", other.shape, " stands where ",
           value.dtype, " ", value.shape, " stands with ", batch_, fixed_batch);
    for (int axis = 0; axis < value.shape.rank(); ++axis) {
      const std::int64_t size = value.shape[axis], more = other.shape[axis] - size;
      if (more == 0) continue;
      if (size != more * batch_)
        fail("onnx::save: a size is ", size, " with a batch of ", batch_, " and ", other.shape[axis], " with ",
             batch_ + 1, ", needs a multiple of the batch", fixed_batch);
      value.dims[static_cast<std::size_t>(axis)] = {0, more};
    }
    if (value.kind == TracedValue::constant) compare_constants(value, other);
  }

  // What a constant has along the batch is the same everywhere.
  void compare_constants(TracedValue& value, const TracedValue& other) const {
    Tensor one = value.tensor, two = other.tensor;
    for (int axis = 0; axis < one.rank(); ++axis) {
      if (value.dims[static_cast<std::size_t>(axis)].per_batch == 0) continue;
      const Tensor row = slice(one, axis, 0, 1);
      if (!same_values(broadcast_to(row, one.shape()), one))
        fail("onnx::save: a constant ", value.shape, " made in the forward has other values at other places of the ",
             "batch", fixed_batch);
      one = row;
      two = slice(two, axis, 0, 1);
    }
    if (!same_values(one, two))
      fail("onnx::save: a constant ", value.shape, " made in the forward is another with a batch of ", batch_ + 1,
           fixed_batch);
    value.tensor = one;
  }

  Trace& first_;
  const Trace& second_;
  std::int64_t batch_;
};

}  // namespace

bool TracedOp::has(const char* field) const {
  return std::any_of(fields.begin(), fields.end(), [&](const Field& f) { return f.name == field; });
}

const Field& TracedOp::field_of(const char* field) const {
  for (const Field& f : fields)
    if (f.name == field) return f;
  fail("onnx::save: ", path.empty() ? "" : path + ": ", "an op ", name, " without ", field, " is not weft's");
}

Trace trace(nn::Module& net, const Forward& forward, const Tensors& examples, bool symbolic_batch) {
  if (examples.empty()) fail("onnx::save: got no example, needs one for each input");
  for (const Tensor& t : examples)
    if (!t.defined()) fail("onnx::save: got an undefined example");
  const Evaluating evaluating(net);
  Trace result = record(net, forward, examples);
  prune(result);
  check_known(result);
  for (TracedValue& value : result.values)
    for (const std::int64_t size : value.shape) value.dims.push_back({size, 0});
  if (symbolic_batch && examples[0].rank() > 0) {
    const std::int64_t batch = examples[0].size(0);
    if (batch == 0) fail("onnx::save: got an example ", examples[0].shape(), ", needs one that is not empty");
    Tensors larger;
    {
      const NoGrad off;
      for (const Tensor& t : examples)
        larger.push_back(t.rank() > 0 && t.size(0) == batch ? concat({t, slice(t, 0, 0, 1)}, 0) : t);
    }
    Trace second;
    try {
      second = record(net, forward, larger);
    } catch (const Error& e) {
      fail("onnx::save: with a batch of ", batch + 1, " the net fails, ", e.what(), fixed_batch);
    }
    prune(second);
    Compared(result, second, batch).compare();
  }
  return result;
}

}  // namespace weft::onnx::detail

#include <weft/nn/optim.hpp>

#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/engine/parallel.hpp>
#include <weft/engine/tape.hpp>

namespace weft::nn {
namespace {

// Below this many elements a second thread costs more than it saves.
constexpr std::int64_t grain = 1 << 15;

template <class Options>
std::vector<const Tensors*> lists_of(const std::vector<ParamGroup<Options>>& groups) {
  std::vector<const Tensors*> lists;
  for (const auto& group : groups) lists.push_back(&group.parameters);
  return lists;
}

template <class Options>
std::vector<double> lrs_of(const std::vector<ParamGroup<Options>>& groups) {
  std::vector<double> lrs;
  for (const auto& group : groups) lrs.push_back(group.options.lr);
  return lrs;
}

// State tensors are needed only where some group has momentum.
std::vector<std::string> sgd_slots(const std::vector<ParamGroup<SgdOptions>>& groups) {
  for (const auto& group : groups)
    if (group.options.momentum != 0) return {"momentum"};
  return {};
}

void check_fraction(const char* name, const char* what, double value) {
  if (!(value >= 0 && value < 1)) fail(name, ": got ", what, " ", value, ", needs 0 <= ", what, " < 1");
}

void check_not_negative(const char* name, const char* what, double value) {
  if (!(value >= 0)) fail(name, ": got ", what, " ", value, ", needs 0 or more");
}

void check(const SgdOptions& o) {
  check_not_negative("Sgd", "momentum", o.momentum);
  check_not_negative("Sgd", "weight_decay", o.weight_decay);
  if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
    fail("Sgd: got nesterov with momentum ", o.momentum, " and dampening ", o.dampening,
         ", needs momentum and no dampening");
}

void check(const char* name, const AdamOptions& o) {
  check_fraction(name, "beta1", o.beta1);
  check_fraction(name, "beta2", o.beta2);
  check_not_negative(name, "eps", o.eps);
  check_not_negative(name, "weight_decay", o.weight_decay);
}

template <class T>
void sgd_update(T* __restrict p, const T* __restrict g, T* __restrict buffer, std::int64_t size, const SgdOptions& o,
                double rate, bool first) {
  const T lr = static_cast<T>(rate), decay = static_cast<T>(o.weight_decay), momentum = static_cast<T>(o.momentum);
  const T keep = first ? T{0} : momentum, take = first ? T{1} : static_cast<T>(1.0 - o.dampening);
  weft::detail::parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
    if (momentum == 0) {
      for (std::int64_t i = begin; i < end; ++i) p[i] -= lr * (g[i] + decay * p[i]);
    } else if (o.nesterov) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T d = g[i] + decay * p[i];
        buffer[i] = keep * buffer[i] + take * d;
        p[i] -= lr * (d + momentum * buffer[i]);
      }
    } else {
      for (std::int64_t i = begin; i < end; ++i) {
        buffer[i] = keep * buffer[i] + take * (g[i] + decay * p[i]);
        p[i] -= lr * buffer[i];
      }
    }
  });
}

template <class T>
void adam_update(T* __restrict p, const T* __restrict g, T* __restrict mean, T* __restrict square, std::int64_t size,
                 const AdamOptions& o, double lr, bool decoupled, std::int64_t step) {
  const double correction1 = 1.0 - std::pow(o.beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(o.beta2, static_cast<double>(step));
  const T rate = static_cast<T>(lr / correction1), scale = static_cast<T>(1.0 / std::sqrt(correction2));
  const T b1 = static_cast<T>(o.beta1), b2 = static_cast<T>(o.beta2), eps = static_cast<T>(o.eps);
  const T c1 = static_cast<T>(1.0 - o.beta1), c2 = static_cast<T>(1.0 - o.beta2);
  const T shrink = static_cast<T>(decoupled ? 1.0 - lr * o.weight_decay : 1.0);
  const T decay = static_cast<T>(decoupled ? 0.0 : o.weight_decay);
  weft::detail::parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T d = g[i] + decay * p[i];
      mean[i] = b1 * mean[i] + c1 * d;
      square[i] = b2 * square[i] + c2 * d * d;
      p[i] = shrink * p[i] - rate * mean[i] / (std::sqrt(square[i]) * scale + eps);
    }
  });
}

std::vector<ParamGroup<AdamOptions>> as_adam(const std::vector<ParamGroup<AdamWOptions>>& groups) {
  std::vector<ParamGroup<AdamOptions>> result;
  for (const auto& [parameters, o] : groups)
    result.push_back({parameters, {o.lr, o.beta1, o.beta2, o.eps, o.weight_decay}});
  return result;
}

}  // namespace

Optimizer::Optimizer(const char* name, const std::vector<const Tensors*>& groups, const std::vector<double>& lrs,
                     std::vector<std::string> slots)
    : name_(name), lrs_(lrs), slot_names_(std::move(slots)) {
  for (const double lr : lrs) check_not_negative(name, "lr", lr);
  for (std::size_t group = 0; group < groups.size(); ++group) {
    for (const Tensor& p : *groups[group]) {
      weft::detail::check_floating(name, p);
      if (!p.is_leaf()) fail(name, ": got a computed tensor of shape ", p.shape(), ", needs parameters");
      for (const Tensor& other : parameters_)
        if (other.impl() == p.impl()) fail(name, ": got a parameter of shape ", p.shape(), " twice");
      parameters_.push_back(p);
      group_of_.push_back(static_cast<int>(group));
      Tensors state;
      for (std::size_t i = 0; i < slot_names_.size(); ++i) state.push_back(zeros_like(p));
      slots_.push_back(std::move(state));
    }
  }
  if (parameters_.empty()) fail(name, ": got no parameters");
  steps_.resize(parameters_.size());
}

Optimizer::~Optimizer() = default;

void Optimizer::step() {
  const NoGrad off;
  for (const Tensor& p : parameters_) {
    const Tensor g = p.grad();
    if (g.defined()) weft::detail::check_same_dtype(name_, p, g);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& p = parameters_[i];
    const Tensor g = p.grad();
    if (!g.defined()) continue;
    const std::int64_t step = ++steps_[i];
    weft::detail::visit_floating(p.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* state[4] = {};
      for (std::size_t s = 0; s < slots_[i].size(); ++s) {
        // The module may have been converted since.
        slots_[i][s] = slots_[i][s].to(p.dtype());
        state[s] = slots_[i][s].template mutable_data<T>().data();
      }
      update(p.mutable_data<T>().data(), g.data<T>().data(), state, p.size(), group_of_[i], step);
    });
  }
}

void Optimizer::zero_grad() {
  for (Tensor& p : parameters_) p.zero_grad();
}

void Optimizer::check_group(int group) const {
  if (group < 0 || group >= group_count()) fail(name_, ": got the group ", group, " of ", group_count());
}

double Optimizer::lr(int group) const {
  check_group(group);
  return lrs_[static_cast<std::size_t>(group)];
}

void Optimizer::set_lr(double lr) {
  for (int group = 0; group < group_count(); ++group) set_lr(lr, group);
}

void Optimizer::set_lr(double lr, int group) {
  check_group(group);
  check_not_negative(name_, "lr", lr);
  lrs_[static_cast<std::size_t>(group)] = lr;
}

NamedTensors Optimizer::state() const {
  std::vector<double> momenta;
  for (int group = 0; group < group_count(); ++group) momenta.push_back(momentum(group));
  NamedTensors result;
  result.emplace_back("lr", from_buffer(std::span<const double>(lrs_), {group_count()}));
  result.emplace_back("momenta", from_buffer(std::span<const double>(momenta), {group_count()}));
  result.emplace_back("steps",
                      from_buffer(std::span<const std::int64_t>(steps_), {static_cast<std::int64_t>(steps_.size())}));
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      result.emplace_back(slot_names_[s] + "." + std::to_string(i), slots_[i][s]);
  return result;
}

void Optimizer::load_state(const NamedTensors& saved) {
  const NamedTensors now = state();
  if (saved.size() != now.size()) fail(name_, ": got a state of ", saved.size(), " tensors, needs ", now.size());
  Tensors found;
  for (const auto& [name, tensor] : now) {
    const Tensor* match = nullptr;
    for (const auto& [other, value] : saved)
      if (other == name) match = &value;
    if (match == nullptr) fail(name_, ": the saved state has no \"", name, "\"");
    if (match->shape() != tensor.shape())
      fail(name_, ": the saved \"", name, "\" has shape ", match->shape(), ", needs ", tensor.shape());
    found.push_back(match->to(tensor.dtype()));
  }
  const NoGrad off;
  for (int group = 0; group < group_count(); ++group) {
    set_lr(found[0].at({group}), group);
    set_momentum(found[1].at({group}), group);
  }
  const auto steps = found[2].data<std::int64_t>();
  steps_.assign(steps.begin(), steps.end());
  std::size_t next = 3;
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (Tensors& slots : slots_) slots[s].copy_(found[next++]);
}

Sgd::Sgd(const Tensors& parameters, SgdOptions options)
    : Sgd(std::vector<ParamGroup<SgdOptions>>{{parameters, options}}) {}

Sgd::Sgd(const std::vector<ParamGroup<SgdOptions>>& groups)
    : Optimizer("Sgd", lists_of(groups), lrs_of(groups), sgd_slots(groups)) {
  for (const auto& group : groups) {
    check(group.options);
    options_.push_back(group.options);
  }
}

double Sgd::momentum(int group) const { return options_.at(static_cast<std::size_t>(group)).momentum; }

void Sgd::set_momentum(double momentum, int group) {
  // Without a buffer there is nothing that momentum could act on.
  if (options_.at(static_cast<std::size_t>(group)).momentum != 0)
    options_[static_cast<std::size_t>(group)].momentum = momentum;
}

void Sgd::update(float* p, const float* g, float* const* slots, std::int64_t size, int group, std::int64_t step) const {
  sgd_update(p, g, slots[0], size, options_[static_cast<std::size_t>(group)], lr(group), step == 1);
}

void Sgd::update(double* p, const double* g, double* const* slots, std::int64_t size, int group,
                 std::int64_t step) const {
  sgd_update(p, g, slots[0], size, options_[static_cast<std::size_t>(group)], lr(group), step == 1);
}

Adam::Adam(const Tensors& parameters, AdamOptions options)
    : Adam(std::vector<ParamGroup<AdamOptions>>{{parameters, options}}) {}

Adam::Adam(const std::vector<ParamGroup<AdamOptions>>& groups) : Adam("Adam", groups, false) {}

Adam::Adam(const char* name, const std::vector<ParamGroup<AdamOptions>>& groups, bool decoupled)
    : Optimizer(name, lists_of(groups), lrs_of(groups), {"mean", "square"}), decoupled_(decoupled) {
  for (const auto& group : groups) {
    check(name, group.options);
    options_.push_back(group.options);
  }
}

double Adam::momentum(int group) const { return options_.at(static_cast<std::size_t>(group)).beta1; }

void Adam::set_momentum(double momentum, int group) { options_.at(static_cast<std::size_t>(group)).beta1 = momentum; }

void Adam::update(float* p, const float* g, float* const* slots, std::int64_t size, int group,
                  std::int64_t step) const {
  adam_update(p, g, slots[0], slots[1], size, options_[static_cast<std::size_t>(group)], lr(group), decoupled_, step);
}

void Adam::update(double* p, const double* g, double* const* slots, std::int64_t size, int group,
                  std::int64_t step) const {
  adam_update(p, g, slots[0], slots[1], size, options_[static_cast<std::size_t>(group)], lr(group), decoupled_, step);
}

AdamW::AdamW(const Tensors& parameters, AdamWOptions options)
    : AdamW(std::vector<ParamGroup<AdamWOptions>>{{parameters, options}}) {}

AdamW::AdamW(const std::vector<ParamGroup<AdamWOptions>>& groups) : Adam("AdamW", as_adam(groups), true) {}

}  // namespace weft::nn

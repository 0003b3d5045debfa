#include <weft/nn/train/optimizer.hpp>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>

namespace weft::nn {
namespace {

// Below this many elements a second thread costs more than it saves.
constexpr std::int64_t grain = detail::grain_for(1);

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

void check_sgd_momentum(double momentum) { detail::check_not_negative("Sgd", "momentum", momentum); }

void check(const SgdOptions& o) {
  check_sgd_momentum(o.momentum);
  detail::check_not_negative("Sgd", "weight_decay", o.weight_decay);
  if (!std::isfinite(o.dampening)) fail("Sgd: got dampening ", o.dampening, ", needs a finite number");
  if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
    fail("Sgd: got nesterov with momentum ", o.momentum, " and dampening ", o.dampening,
         ", needs momentum and no dampening");
}

void check_beta1(const char* name, double beta1) { detail::check_fraction(name, "beta1", beta1); }

void check(const char* name, const AdamOptions& o) {
  check_beta1(name, o.beta1);
  detail::check_fraction(name, "beta2", o.beta2);
  detail::check_not_negative(name, "eps", o.eps);
  detail::check_not_negative(name, "weight_decay", o.weight_decay);
}

template <class T>
void sgd_update(T* __restrict p, const T* __restrict g, T* __restrict buffer, std::int64_t size, const SgdOptions& o,
                double rate, bool first) {
  const T lr = static_cast<T>(rate), decay = static_cast<T>(o.weight_decay), momentum = static_cast<T>(o.momentum);
  const T keep = first ? T{0} : momentum, take = first ? T{1} : static_cast<T>(1.0 - o.dampening);
  detail::parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
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
  detail::parallel_for(size, grain, [&](std::int64_t begin, std::int64_t end) {
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
  for (const double lr : lrs) detail::check_not_negative(name, "lr", lr);
  std::unordered_set<const detail::TensorImpl*> seen;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    for (const Tensor& p : *groups[group]) {
      detail::check_floating(name, p);
      if (!p.is_leaf()) fail(name, ": got a computed tensor of shape ", p.shape(), ", needs parameters");
      if (!seen.insert(p.impl()).second) fail(name, ": got a parameter of shape ", p.shape(), " twice");
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
    if (g.defined()) detail::check_same_dtype(name_, p, g);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Tensor& p = parameters_[i];
    const Tensor g = p.grad();
    if (!g.defined()) continue;
    for (std::size_t s = 0; s < slots_[i].size(); ++s) slots_[i][s] = slot(i, s);
    update(p, g, slots_[i], group_of_[i], ++steps_[i]);
  }
}

// A state tensor in the dtype of its parameter, whose module may have been converted since.
Tensor Optimizer::slot(std::size_t parameter, std::size_t number) const {
  return slots_[parameter][number].to(parameters_[parameter].dtype());
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
  detail::check_not_negative(name_, "lr", lr);
  lrs_[static_cast<std::size_t>(group)] = lr;
}

void Optimizer::set_momentum(double momentum, int group) {
  check_group(group);
  check_momentum(momentum);
  assign_momentum(momentum, group);
}

void Optimizer::check_rates(double lr, double momentum, int group) const {
  check_group(group);
  detail::check_not_negative(name_, "lr", lr);
  check_momentum(momentum);
}

NamedTensors Optimizer::state() const {
  const NoGrad off;
  std::vector<double> momenta;
  for (int group = 0; group < group_count(); ++group) momenta.push_back(momentum(group));
  NamedTensors result;
  result.emplace_back("lr", from_buffer(std::span<const double>(lrs_), {group_count()}));
  result.emplace_back("momenta", from_buffer(std::span<const double>(momenta), {group_count()}));
  result.emplace_back("steps",
                      from_buffer(std::span<const std::int64_t>(steps_), {static_cast<std::int64_t>(steps_.size())}));
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      result.emplace_back(slot_names_[s] + "." + std::to_string(i), slot(i, s));
  return result;
}

// The saved tensors in the order of state().
Tensors Optimizer::matched(const NamedTensors& saved) const {
  const NoGrad off;
  Tensors found = detail::matched(std::string(name_) + ": the saved state", saved, state());
  for (int group = 0; group < group_count(); ++group) check_rates(found[0].at({group}), found[1].at({group}), group);
  for (const std::int64_t steps : found[2].data<std::int64_t>()) detail::check_steps(name_, steps);
  return found;
}

void Optimizer::check_state(const NamedTensors& saved) const { matched(saved); }

void Optimizer::load_state(const NamedTensors& saved) {
  const NoGrad off;
  const Tensors found = matched(saved);
  std::vector<Tensors> slots(parameters_.size());
  std::size_t next = 3;
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (Tensors& of_parameter : slots) of_parameter.push_back(found[next++].clone());
  // From here on nothing fails.
  slots_ = std::move(slots);
  for (int group = 0; group < group_count(); ++group) {
    lrs_[static_cast<std::size_t>(group)] = found[0].at({group});
    assign_momentum(found[1].at({group}), group);
  }
  const auto steps = found[2].data<std::int64_t>();
  std::copy(steps.begin(), steps.end(), steps_.begin());
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

double Sgd::momentum(int group) const {
  check_group(group);
  return options_[static_cast<std::size_t>(group)].momentum;
}

void Sgd::check_momentum(double momentum) const { check_sgd_momentum(momentum); }

void Sgd::assign_momentum(double momentum, int group) {
  // Without a buffer there is nothing that momentum could act on.
  if (has_slots()) options_[static_cast<std::size_t>(group)].momentum = momentum;
}

void Sgd::update(Tensor& p, const Tensor& g, Tensors& slots, int group, std::int64_t step) const {
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* const buffer = slots.empty() ? nullptr : slots[0].mutable_data<T>().data();
    sgd_update(p.mutable_data<T>().data(), g.data<T>().data(), buffer, p.size(),
               options_[static_cast<std::size_t>(group)], lr(group), step == 1);
  });
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

double Adam::momentum(int group) const {
  check_group(group);
  return options_[static_cast<std::size_t>(group)].beta1;
}

void Adam::check_momentum(double momentum) const { check_beta1(decoupled_ ? "AdamW" : "Adam", momentum); }

void Adam::assign_momentum(double momentum, int group) { options_[static_cast<std::size_t>(group)].beta1 = momentum; }

void Adam::update(Tensor& p, const Tensor& g, Tensors& slots, int group, std::int64_t step) const {
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    adam_update(p.mutable_data<T>().data(), g.data<T>().data(), slots[0].mutable_data<T>().data(),
                slots[1].mutable_data<T>().data(), p.size(), options_[static_cast<std::size_t>(group)], lr(group),
                decoupled_, step);
  });
}

AdamW::AdamW(const Tensors& parameters, AdamWOptions options)
    : AdamW(std::vector<ParamGroup<AdamWOptions>>{{parameters, options}}) {}

AdamW::AdamW(const std::vector<ParamGroup<AdamWOptions>>& groups) : Adam("AdamW", as_adam(groups), true) {}

}  // namespace weft::nn

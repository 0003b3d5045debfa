#include <weft/nn/train/optimizer.hpp>

#include <unordered_set>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>

namespace weft::nn {

Optimizer::~Optimizer() = default;

void Optimizer::add_group(const Tensors& parameters, Rates rates) {
  detail::check_not_negative(name_, "lr", rates.lr);
  for (const Tensor& p : parameters) {
    detail::check_floating(name_, p);
    if (!p.is_leaf()) fail(name_, ": got a computed tensor of shape ", p.shape(), ", needs parameters");
    parameters_.push_back(p);
    group_of_.push_back(group_count());
  }
  rates_.push_back(rates);
}

void Optimizer::add_slots(std::vector<std::string> names) {
  if (parameters_.empty()) fail(name_, ": got no parameters");
  std::unordered_set<const detail::TensorImpl*> seen;
  for (const Tensor& p : parameters_) {
    if (!seen.insert(p.impl()).second) fail(name_, ": got a parameter of shape ", p.shape(), " twice");
    Tensors& slots = slots_.emplace_back();
    for (std::size_t i = 0; i < names.size(); ++i) slots.push_back(zeros_like(p));
  }
  slot_names_ = std::move(names);
  steps_.resize(parameters_.size());
}

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
    update_in_group(group_of_[i], rates(group_of_[i]), p, g, slots_[i], ++steps_[i]);
  }
}

// A state tensor in the dtype of its parameter, whose module may have been converted since.
Tensor Optimizer::slot(std::size_t parameter, std::size_t number) const {
  return slots_[parameter][number].to(parameters_[parameter].dtype());
}

void Optimizer::zero_grad() {
  for (Tensor& p : parameters_) p.zero_grad();
}

const Optimizer::Rates& Optimizer::rates(int group) const {
  if (group < 0 || group >= group_count()) fail(name_, ": got the group ", group, " of ", group_count());
  return rates_[static_cast<std::size_t>(group)];
}

double Optimizer::lr(int group) const { return rates(group).lr; }

double Optimizer::momentum(int group) const { return rates(group).momentum; }

void Optimizer::set_lr(double lr) {
  for (int group = 0; group < group_count(); ++group) set_lr(lr, group);
}

void Optimizer::set_lr(double lr, int group) {
  check_rates(lr, momentum(group), group);
  rates_[static_cast<std::size_t>(group)].lr = lr;
}

void Optimizer::set_momentum(double momentum, int group) {
  check_rates(lr(group), momentum, group);
  if (has_momentum()) rates_[static_cast<std::size_t>(group)].momentum = momentum;
}

void Optimizer::check_rates(double lr, double momentum, int group) const {
  static_cast<void>(rates(group));
  detail::check_not_negative(name_, "lr", lr);
  check_options(group, {lr, momentum});
}

NamedTensors Optimizer::state() const {
  const NoGrad off;
  std::vector<double> lrs, momenta;
  for (const Rates& r : rates_) {
    lrs.push_back(r.lr);
    momenta.push_back(r.momentum);
  }
  NamedTensors result;
  result.emplace_back("lr", from_buffer(std::span<const double>(lrs), {group_count()}));
  result.emplace_back("momenta", from_buffer(std::span<const double>(momenta), {group_count()}));
  result.emplace_back("steps",
                      from_buffer(std::span<const std::int64_t>(steps_), {static_cast<std::int64_t>(steps_.size())}));
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (std::size_t i = 0; i < parameters_.size(); ++i)
      result.emplace_back(slot_names_[s] + "." + std::to_string(i), slot(i, s));
  return result;
}

std::function<void()> Optimizer::prepare_load(const NamedTensors& saved) {
  const NoGrad off;
  const Tensors found = detail::matched(std::string(name_) + ": the saved state", saved, state());  // as in state()
  const auto lrs = found[0].data<double>(), momenta = found[1].data<double>();
  const auto steps = found[2].data<std::int64_t>();
  std::vector<Rates> rates;
  for (int group = 0; group < group_count(); ++group) {
    const Rates given{lrs[static_cast<std::size_t>(group)], momenta[static_cast<std::size_t>(group)]};
    check_rates(given.lr, given.momentum, group);
    rates.push_back({given.lr, has_momentum() ? given.momentum : momentum(group)});
  }
  for (const std::int64_t count : steps) detail::check_steps(name_, count);
  std::vector<Tensors> slots(parameters_.size());
  std::size_t next = 3;
  for (std::size_t s = 0; s < slot_names_.size(); ++s)
    for (Tensors& of_parameter : slots) of_parameter.push_back(found[next++].clone());
  return [this, rates = std::move(rates), slots = std::move(slots),
          counts = std::vector<std::int64_t>(steps.begin(), steps.end())]() mutable {
    rates_ = std::move(rates);
    slots_ = std::move(slots);
    steps_ = std::move(counts);
  };
}

}  // namespace weft::nn

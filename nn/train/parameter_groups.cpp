#include <weft/nn/train/parameter_groups.hpp>

#include <unordered_set>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/checks.hpp>

namespace weft::nn {

void ParameterGroups::add_group(const Tensors& parameters, Rates rates) {
  detail::check_not_negative(kind_, "lr", rates.lr);
  for (const Tensor& p : parameters) {
    detail::check_floating(kind_, p);
    if (!p.is_leaf()) fail(kind_, ": got a computed tensor of shape ", p.shape(), ", needs parameters");
    parameters_.push_back(p);
    group_of_.push_back(group_count());
  }
  rates_.push_back(rates);
}

void ParameterGroups::check_parameters() const {
  if (parameters_.empty()) fail(kind_, ": got no parameters");
  std::unordered_set<const detail::TensorImpl*> seen;
  for (const Tensor& p : parameters_)
    if (!seen.insert(p.impl()).second) fail(kind_, ": got a parameter of shape ", p.shape(), " twice");
}

void ParameterGroups::zero_grad() {
  for (Tensor& p : parameters_) p.zero_grad();
}

const ParameterGroups::Rates& ParameterGroups::rates(int group) const {
  if (group < 0 || group >= group_count()) fail(kind_, ": got the group ", group, " of ", group_count());
  return rates_[static_cast<std::size_t>(group)];
}

double ParameterGroups::lr(int group) const { return rates(group).lr; }

double ParameterGroups::momentum(int group) const { return rates(group).momentum; }

void ParameterGroups::set_lr(double lr) {
  for (int group = 0; group < group_count(); ++group) set_lr(lr, group);
}

void ParameterGroups::set_lr(double lr, int group) {
  check_rates(lr, momentum(group), group);
  rates_[static_cast<std::size_t>(group)].lr = lr;
}

void ParameterGroups::set_momentum(double momentum, int group) {
  check_rates(lr(group), momentum, group);
  if (has_momentum()) rates_[static_cast<std::size_t>(group)].momentum = momentum;
}

void ParameterGroups::check_rates(double lr, double momentum, int group) const {
  static_cast<void>(rates(group));
  detail::check_not_negative(kind_, "lr", lr);
  check_options(group, {lr, momentum});
}

NamedTensors ParameterGroups::rates_state() const {
  std::vector<double> lrs, momenta;
  for (const Rates& r : rates_) {
    lrs.push_back(r.lr);
    momenta.push_back(r.momentum);
  }
  return {{"lr", from_buffer(std::span<const double>(lrs), {group_count()})},
          {"momenta", from_buffer(std::span<const double>(momenta), {group_count()})}};
}

std::function<void()> ParameterGroups::prepare_rates(const Tensor& lrs, const Tensor& momenta) {
  std::vector<Rates> rates;
  for (int group = 0; group < group_count(); ++group) {
    const auto i = static_cast<std::size_t>(group);
    const Rates given{lrs.data<double>()[i], momenta.data<double>()[i]};
    check_rates(given.lr, given.momentum, group);
    rates.push_back({given.lr, has_momentum() ? given.momentum : momentum(group)});
  }
  return [this, rates = std::move(rates)] { rates_ = rates; };
}

}  // namespace weft::nn

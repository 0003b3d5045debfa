#include <weft/nn/train/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>

namespace weft::nn {

Schedule::Schedule(ParameterGroups& optimizer, Rate rate, Momentum momentum)
    : optimizer_(optimizer), rate_(std::move(rate)), momentum_(std::move(momentum)) {
  if (!rate_) fail("schedule: got no function");
  Place start;
  for (int group = 0; group < optimizer_.group_count(); ++group) start.bases.push_back(optimizer_.lr(group));
  prepare(std::move(start))();
}

void Schedule::step() { prepare({place_.steps + 1, place_.bases})(); }

std::function<void()> Schedule::prepare(Place place) {
  detail::check_steps("schedule", place.steps);
  const int groups = optimizer_.group_count();
  std::vector<double> lrs, momenta;
  for (int group = 0; group < groups; ++group) {
    const double base = place.bases[static_cast<std::size_t>(group)];
    detail::check_not_negative("schedule", "base_lr", base);
    lrs.push_back(rate_(base, place.steps));
    momenta.push_back(momentum_ ? momentum_(place.steps) : optimizer_.momentum(group));
    optimizer_.check_rates(lrs.back(), momenta.back(), group);
  }
  return [this, groups, place = std::move(place), lrs = std::move(lrs), momenta = std::move(momenta)] {
    place_ = place;
    for (int group = 0; group < groups; ++group) {
      optimizer_.set_lr(lrs[static_cast<std::size_t>(group)], group);
      if (momentum_) optimizer_.set_momentum(momenta[static_cast<std::size_t>(group)], group);
    }
  };
}

NamedTensors Schedule::state() const {
  const std::int64_t steps[] = {place_.steps};
  const std::vector<double>& bases = place_.bases;
  return {{"steps", from_buffer(std::span<const std::int64_t>(steps), {})},
          {"base_lr", from_buffer(std::span<const double>(bases), {static_cast<std::int64_t>(bases.size())})}};
}

std::function<void()> Schedule::prepare_load(const NamedTensors& saved) {
  const Tensors found = detail::matched("schedule: the saved state", saved, state());
  const auto bases = found[1].data<double>();
  return prepare({found[0].data<std::int64_t>()[0], {bases.begin(), bases.end()}});
}

namespace {

// The rates of each kind of schedule; they throw Error unless the options are valid.

Schedule::Rate rate_of(const MultiStepLrOptions& o) {
  detail::check_not_negative("MultiStepLr", "gamma", o.gamma);
  return [o](double base, std::int64_t steps) {
    for (const std::int64_t milestone : o.milestones)
      if (milestone <= steps) base *= o.gamma;
    return base;
  };
}

Schedule::Rate rate_of(const StepLrOptions& o) {
  if (o.every <= 0) fail("StepLr: got every ", o.every, " steps, needs a positive number");
  detail::check_not_negative("StepLr", "gamma", o.gamma);
  return [o](double base, std::int64_t steps) {
    const std::int64_t times = steps / o.every;
    return base * std::pow(o.gamma, static_cast<double>(times));
  };
}

Schedule::Rate rate_of(const LinearWarmupOptions& o) {
  if (o.steps <= 0) fail("LinearWarmup: got ", o.steps, " steps, needs a positive number");
  if (!(o.start >= 0 && o.start <= 1)) fail("LinearWarmup: got start ", o.start, ", needs 0 <= start <= 1");
  return [o](double base, std::int64_t steps) {
    const double part = static_cast<double>(std::min(steps, o.steps)) / static_cast<double>(o.steps);
    return base * (o.start + (1.0 - o.start) * part);
  };
}

Schedule::Rate rate_of(const CosineLrOptions& o) {
  if (o.total_steps <= 0) fail("CosineLr: got total_steps ", o.total_steps, ", needs a positive number");
  detail::check_not_negative("CosineLr", "min_lr", o.min_lr);
  return [o](double base, std::int64_t steps) {
    const double phase = std::numbers::pi * static_cast<double>(steps) / static_cast<double>(o.total_steps);
    return o.min_lr + (base - o.min_lr) * (1.0 + std::cos(phase)) / 2.0;
  };
}

// From start to top and on to end.
double in_cycle(const OneCycleLrOptions& o, std::int64_t steps, double start, double top, double end) {
  const double total = static_cast<double>(o.total_steps);
  const double peak = o.rise * total - 1.0, last = total - 1.0;
  const double now = std::min(static_cast<double>(steps), last);
  const bool rising = now <= peak;
  const double from = rising ? start : top, to = rising ? top : end;
  const double length = rising ? peak : last - peak;
  const double part = length > 0 ? (rising ? now : now - peak) / length : 1.0;
  if (o.anneal == Anneal::linear) return from + (to - from) * part;
  return to + (from - to) / 2.0 * (1.0 + std::cos(std::numbers::pi * part));
}

Schedule::Rate rate_of(const OneCycleLrOptions& o) {
  const char* const name = "OneCycleLr";
  if (o.total_steps <= 0) fail(name, ": got total_steps ", o.total_steps, ", needs a positive number");
  if (!(o.rise >= 0 && o.rise <= 1)) fail(name, ": got rise ", o.rise, ", needs 0 <= rise <= 1");
  detail::check_above_zero(name, "max_lr", o.max_lr);
  detail::check_above_zero(name, "start_divisor", o.start_divisor);
  detail::check_above_zero(name, "end_divisor", o.end_divisor);
  const double start = o.max_lr / o.start_divisor, end = start / o.end_divisor;
  detail::check_not_negative(name, "max_lr / start_divisor", start);
  detail::check_not_negative(name, "the last rate", end);
  detail::check_fraction(name, "base_momentum", o.base_momentum);
  detail::check_fraction(name, "max_momentum", o.max_momentum);
  return [=](double, std::int64_t steps) { return in_cycle(o, steps, start, o.max_lr, end); };
}

Schedule::Momentum momentum_of(const OneCycleLrOptions& o) {
  if (!o.cycle_momentum) return nullptr;
  return [o](std::int64_t steps) { return in_cycle(o, steps, o.max_momentum, o.base_momentum, o.max_momentum); };
}

Schedule::Rate rate_of(std::function<double(std::int64_t)> factor) {
  if (!factor) fail("LambdaLr: got no function");
  return [factor = std::move(factor)](double base, std::int64_t steps) { return base * factor(steps); };
}

}  // namespace

MultiStepLr::MultiStepLr(ParameterGroups& of, MultiStepLrOptions o) : Schedule(of, rate_of(o)) {}
StepLr::StepLr(ParameterGroups& of, StepLrOptions o) : Schedule(of, rate_of(o)) {}
LinearWarmup::LinearWarmup(ParameterGroups& of, LinearWarmupOptions o) : Schedule(of, rate_of(o)) {}
LambdaLr::LambdaLr(ParameterGroups& of, std::function<double(std::int64_t)> factor)
    : Schedule(of, rate_of(std::move(factor))) {}
CosineLr::CosineLr(ParameterGroups& of, CosineLrOptions o) : Schedule(of, rate_of(o)) {}
OneCycleLr::OneCycleLr(ParameterGroups& of, OneCycleLrOptions o) : Schedule(of, rate_of(o), momentum_of(o)) {}

}  // namespace weft::nn

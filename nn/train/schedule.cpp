#include <weft/nn/train/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>

namespace weft::nn {

Schedule::Schedule(Optimizer& optimizer) : optimizer_(optimizer) {
  for (int group = 0; group < optimizer.group_count(); ++group) bases_.push_back(optimizer.lr(group));
}

Schedule::~Schedule() = default;

std::optional<double> Schedule::momentum(std::int64_t) const { return std::nullopt; }

void Schedule::step() { move_to(checked({steps_ + 1, bases_})); }

// Throws unless the optimiser may have all the rates of that place.
Schedule::Place Schedule::checked(Place place) const {
  detail::check_steps("schedule", place.steps);
  for (int group = 0; group < optimizer_.group_count(); ++group) {
    const double base = place.bases[static_cast<std::size_t>(group)];
    detail::check_not_negative("schedule", "base_lr", base);
    optimizer_.check_rates(rate(base, place.steps), momentum(place.steps).value_or(optimizer_.momentum(group)), group);
  }
  return place;
}

void Schedule::move_to(Place place) {
  steps_ = place.steps;
  bases_ = std::move(place.bases);
  for (int group = 0; group < optimizer_.group_count(); ++group) {
    optimizer_.set_lr(rate(bases_[static_cast<std::size_t>(group)], steps_), group);
    if (const auto value = momentum(steps_)) optimizer_.set_momentum(*value, group);
  }
}

NamedTensors Schedule::state() const {
  const std::int64_t steps[] = {steps_};
  return {{"steps", from_buffer(std::span<const std::int64_t>(steps), {})},
          {"base_lr", from_buffer(std::span<const double>(bases_), {static_cast<std::int64_t>(bases_.size())})}};
}

std::function<void()> Schedule::prepare_load(const NamedTensors& saved) {
  const Tensors found = detail::matched("schedule: the saved state", saved, state());
  const auto bases = found[1].data<double>();
  return [this, place = checked({found[0].data<std::int64_t>()[0], {bases.begin(), bases.end()}})] { move_to(place); };
}

MultiStepLr::MultiStepLr(Optimizer& of, MultiStepLrOptions options) : Schedule(of), options_(std::move(options)) {
  detail::check_not_negative("MultiStepLr", "gamma", options_.gamma);
  start();
}

double MultiStepLr::rate(double base, std::int64_t steps) const {
  for (const std::int64_t milestone : options_.milestones)
    if (milestone <= steps) base *= options_.gamma;
  return base;
}

StepLr::StepLr(Optimizer& of, StepLrOptions options) : Schedule(of), options_(options) {
  if (options.every <= 0) fail("StepLr: got every ", options.every, " steps, needs a positive number");
  detail::check_not_negative("StepLr", "gamma", options.gamma);
  start();
}

double StepLr::rate(double base, std::int64_t steps) const {
  const std::int64_t times = steps / options_.every;
  return base * std::pow(options_.gamma, static_cast<double>(times));
}

LinearWarmup::LinearWarmup(Optimizer& of, LinearWarmupOptions options) : Schedule(of), options_(options) {
  if (options.steps <= 0) fail("LinearWarmup: got ", options.steps, " steps, needs a positive number");
  if (!(options.start >= 0 && options.start <= 1))
    fail("LinearWarmup: got start ", options.start, ", needs 0 <= start <= 1");
  start();
}

double LinearWarmup::rate(double base, std::int64_t steps) const {
  const double part = static_cast<double>(std::min(steps, options_.steps)) / static_cast<double>(options_.steps);
  return base * (options_.start + (1.0 - options_.start) * part);
}

LambdaLr::LambdaLr(Optimizer& of, std::function<double(std::int64_t)> factor)
    : Schedule(of), factor_(std::move(factor)) {
  if (!factor_) fail("LambdaLr: got no function");
  start();
}

double LambdaLr::rate(double base, std::int64_t steps) const { return base * factor_(steps); }

CosineLr::CosineLr(Optimizer& of, CosineLrOptions options) : Schedule(of), options_(options) {
  if (options.total_steps <= 0) fail("CosineLr: got total_steps ", options.total_steps, ", needs a positive number");
  detail::check_not_negative("CosineLr", "min_lr", options.min_lr);
  start();
}

double CosineLr::rate(double base, std::int64_t steps) const {
  const double phase = std::numbers::pi * static_cast<double>(steps) / static_cast<double>(options_.total_steps);
  return options_.min_lr + (base - options_.min_lr) * (1.0 + std::cos(phase)) / 2.0;
}

OneCycleLr::OneCycleLr(Optimizer& of, OneCycleLrOptions options) : Schedule(of), options_(options) {
  const char* const name = "OneCycleLr";
  if (options.total_steps <= 0) fail(name, ": got total_steps ", options.total_steps, ", needs a positive number");
  if (!(options.rise >= 0 && options.rise <= 1)) fail(name, ": got rise ", options.rise, ", needs 0 <= rise <= 1");
  detail::check_above_zero(name, "max_lr", options.max_lr);
  detail::check_above_zero(name, "start_divisor", options.start_divisor);
  detail::check_above_zero(name, "end_divisor", options.end_divisor);
  detail::check_not_negative(name, "max_lr / start_divisor", options.max_lr / options.start_divisor);
  detail::check_not_negative(name, "the last rate", options.max_lr / options.start_divisor / options.end_divisor);
  detail::check_fraction(name, "base_momentum", options.base_momentum);
  detail::check_fraction(name, "max_momentum", options.max_momentum);
  start();
}

double OneCycleLr::between(std::int64_t steps, double start, double top, double end) const {
  const double total = static_cast<double>(options_.total_steps);
  const double peak = options_.rise * total - 1.0, last = total - 1.0;
  const double now = std::min(static_cast<double>(steps), last);
  const bool rising = now <= peak;
  const double from = rising ? start : top, to = rising ? top : end;
  const double length = rising ? peak : last - peak;
  const double part = length > 0 ? (rising ? now : now - peak) / length : 1.0;
  if (options_.anneal == Anneal::linear) return from + (to - from) * part;
  return to + (from - to) / 2.0 * (1.0 + std::cos(std::numbers::pi * part));
}

double OneCycleLr::rate(double, std::int64_t steps) const {
  const double start = options_.max_lr / options_.start_divisor;
  return between(steps, start, options_.max_lr, start / options_.end_divisor);
}

std::optional<double> OneCycleLr::momentum(std::int64_t steps) const {
  if (!options_.cycle_momentum) return std::nullopt;
  return between(steps, options_.max_momentum, options_.base_momentum, options_.max_momentum);
}

}  // namespace weft::nn

#include <weft/nn/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <weft/engine/create.hpp>

namespace weft::nn {

Schedule::Schedule(Optimizer& optimizer) : optimizer_(optimizer) {
  for (int group = 0; group < optimizer.group_count(); ++group) bases_.push_back(optimizer.lr(group));
}

Schedule::~Schedule() = default;

void Schedule::step() {
  ++steps_;
  set();
}

void Schedule::set() {
  for (int group = 0; group < optimizer_.group_count(); ++group)
    optimizer_.set_lr(rate(bases_[static_cast<std::size_t>(group)], steps_), group);
}

NamedTensors Schedule::state() const {
  const std::int64_t steps[] = {steps_};
  return {{"steps", from_buffer(std::span<const std::int64_t>(steps), {})},
          {"base_lr", from_buffer(std::span<const double>(bases_), {static_cast<std::int64_t>(bases_.size())})}};
}

void Schedule::load_state(const NamedTensors& saved) {
  Tensor steps, bases;
  for (const auto& [name, tensor] : saved) {
    if (name == "steps") steps = tensor;
    if (name == "base_lr") bases = tensor;
  }
  if (!steps.defined() || !bases.defined() || steps.size() != 1 ||
      bases.size() != static_cast<std::int64_t>(bases_.size()))
    fail("schedule: the saved state needs \"steps\" and a \"base_lr\" of ", bases_.size(), " groups");
  steps_ = static_cast<std::int64_t>(steps.item());
  const Tensor wide = bases.to(f64);
  bases_.assign(wide.data<double>().begin(), wide.data<double>().end());
  set();
}

MultiStepLr::MultiStepLr(Optimizer& of, MultiStepLrOptions options) : Schedule(of), options_(std::move(options)) {
  MultiStepLr::set();
}

double MultiStepLr::rate(double base, std::int64_t steps) const {
  for (const std::int64_t milestone : options_.milestones)
    if (milestone <= steps) base *= options_.gamma;
  return base;
}

CosineLr::CosineLr(Optimizer& of, CosineLrOptions options) : Schedule(of), options_(options) {
  if (options.total_steps <= 0) fail("CosineLr: got total_steps ", options.total_steps, ", needs a positive number");
  CosineLr::set();
}

double CosineLr::rate(double base, std::int64_t steps) const {
  const double phase = std::numbers::pi * static_cast<double>(steps) / static_cast<double>(options_.total_steps);
  return options_.min_lr + (base - options_.min_lr) * (1.0 + std::cos(phase)) / 2.0;
}

OneCycleLr::OneCycleLr(Optimizer& of, OneCycleLrOptions options) : Schedule(of), options_(options) {
  if (options.total_steps <= 0 || !(options.max_lr > 0) || !(options.rise >= 0 && options.rise <= 1))
    fail("OneCycleLr: got max_lr ", options.max_lr, ", total_steps ", options.total_steps, " and rise ", options.rise,
         ", needs positive numbers and 0 <= rise <= 1");
  OneCycleLr::set();
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

void OneCycleLr::set() {
  Schedule::set();
  if (!options_.cycle_momentum) return;
  const double momentum = between(steps(), options_.max_momentum, options_.base_momentum, options_.max_momentum);
  for (int group = 0; group < optimizer().group_count(); ++group) optimizer().set_momentum(momentum, group);
}

}  // namespace weft::nn

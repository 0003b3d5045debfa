#include <weft/nn/train/reduce_on_plateau.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>

namespace weft::nn {
namespace {

Schedule::Rate reduced_rate(const ReduceOnPlateauOptions& o) {
  const char* const name = "ReduceOnPlateau";
  detail::check_fraction(name, "factor", o.factor);
  if (o.patience < 0) fail(name, ": got patience ", o.patience, ", needs a number from 0");
  if (o.cooldown < 0) fail(name, ": got cooldown ", o.cooldown, ", needs a number from 0");
  detail::check_not_negative(name, "threshold", o.threshold);
  if (o.mode == PlateauMode::min && o.threshold_mode == ThresholdMode::relative)
    detail::check_fraction(name, "threshold", o.threshold);
  detail::check_not_negative(name, "min_lr", o.min_lr);
  detail::check_not_negative(name, "eps", o.eps);
  return [o](double base, std::int64_t reductions) {
    for (; reductions > 0; --reductions) {
      const double less = std::max(base * o.factor, o.min_lr);
      if (!(base - less > o.eps)) break;  // nor will it be by another
      base = less;
    }
    return base;
  };
}

}  // namespace

ReduceOnPlateau::ReduceOnPlateau(ParameterGroups& optimizer, ReduceOnPlateauOptions options)
    : options_(options),
      reductions_(optimizer, reduced_rate(options)),
      place_{std::numeric_limits<double>::infinity() * (options.mode == PlateauMode::min ? 1 : -1)} {}

bool ReduceOnPlateau::is_better(double metric) const {
  const bool least = options_.mode == PlateauMode::min;
  const double margin = least ? -options_.threshold : options_.threshold, best = place_.best;
  const double bound = options_.threshold_mode == ThresholdMode::relative ? best * (1.0 + margin) : best + margin;
  return least ? metric < bound : metric > bound;
}

void ReduceOnPlateau::step(double metric) {
  Place next = place_;
  ++next.bad_steps;
  if (is_better(metric)) next = {metric, 0, next.cooldown_left};
  if (next.cooldown_left > 0) next = {next.best, 0, next.cooldown_left - 1};
  if (next.bad_steps > options_.patience) {
    reductions_.step();
    next = {next.best, 0, options_.cooldown};
  }
  place_ = next;
}

NamedTensors ReduceOnPlateau::state() const {
  NamedTensors result = reductions_.state();
  result.emplace_back("best", scalar(place_.best, f64));
  for (const auto& [name, count] : {std::pair("bad_steps", place_.bad_steps), {"cooldown_left", place_.cooldown_left}})
    result.emplace_back(name, from_buffer(std::span(&count, 1), {}));
  return result;
}

std::function<void()> ReduceOnPlateau::prepare_load(const NamedTensors& saved) {
  const NamedTensors own = state();
  const Tensors found = detail::matched("ReduceOnPlateau: the saved state", saved, own);
  std::function<void()> load_reductions =
      reductions_.prepare_load({{own[0].first, found[0]}, {own[1].first, found[1]}});
  const Place place{found[2].item(), found[3].data<std::int64_t>()[0], found[4].data<std::int64_t>()[0]};
  if (std::isnan(place.best)) fail("ReduceOnPlateau: got best nan, needs a number");
  detail::check_steps("ReduceOnPlateau", place.bad_steps);
  detail::check_steps("ReduceOnPlateau", place.cooldown_left);
  return [this, load_reductions = std::move(load_reductions), place] {
    load_reductions();
    place_ = place;
  };
}

}  // namespace weft::nn

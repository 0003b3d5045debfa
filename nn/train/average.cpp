#include <weft/nn/train/average.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/nn/detail/matched.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/ops/arithmetic.hpp>

namespace weft::nn {
namespace {

double equal_shares(std::int64_t updates) {
  const auto n = static_cast<double>(updates);
  return n / (n + 1);
}

}  // namespace

Average::Average(const Module& module, ModulePtr copy, Decay decay)
    : average_(std::move(copy)), decay_(decay ? std::move(decay) : equal_shares) {
  average_->eval();
  average_->freeze();
  const NamedTensors mine = ModuleAccess::tensors(*average_), original = ModuleAccess::tensors(module);
  for (std::size_t i = 0; i < mine.size(); ++i) pairs_.emplace_back(mine[i].second, original[i].second);
}

void Average::update() {
  const NoGrad off;
  const double decay = decay_(updates_);
  detail::check_fraction("Average", "decay", decay);
  for (const auto& [average, value] : pairs_) detail::check_same_dtype("Average", average, value);
  for (auto& [average, value] : pairs_)
    average.copy_(is_floating(average.dtype()) && decay > 0 ? lerp(value, average, decay) : value);
  ++updates_;
}

NamedTensors Average::state() const {
  const std::int64_t updates[] = {updates_};
  NamedTensors result = {{"updates", from_buffer(std::span<const std::int64_t>(updates), {})}};
  for (const auto& [name, t] : ModuleAccess::tensors(*average_)) result.emplace_back("module." + name, t);
  return result;
}

std::function<void()> Average::prepare_load(const NamedTensors& saved) {
  detail::Match match = detail::match("Average: the saved state", saved, state(), {});
  const std::int64_t updates = match.from[0].data<std::int64_t>()[0];
  detail::check_steps("Average", updates);
  return [this, match = std::move(match), updates]() mutable {
    match.load();
    updates_ = updates;
  };
}

Average::Decay Ema::constant(double decay) {
  detail::check_fraction("Ema", "decay", decay);
  return [decay](std::int64_t) { return decay; };
}

}  // namespace weft::nn

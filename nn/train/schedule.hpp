#pragma once
// Schedules of the learning rate. Each sets the rates of the start when made; step() moves on by one epoch or batch.
#include <weft/nn/train/parameter_groups.hpp>

#include <functional>
#include <vector>

namespace weft::nn {

/// A schedule: the rates as a function of the number of steps, so that they repeat exactly after a resume. One of your
/// own is `nn::Schedule(adam, [](double base, std::int64_t steps) { return steps < 9 ? base : base / 2; })`. The
/// optimiser must outlive it.
class Schedule : public Stateful {
 public:
  /// The learning rate after `steps` steps of a group that started at `base`: the same for the same.
  using Rate = std::function<double(double base, std::int64_t steps)>;
  /// The momentum of every group after `steps` steps.
  using Momentum = std::function<double(std::int64_t steps)>;

  /// Sets the rates of the start; without a function of the momentum that is left alone. Throws Error, and changes
  /// nothing, unless the optimiser can have the rates.
  Schedule(ParameterGroups& optimizer, Rate rate, Momentum momentum = nullptr);
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// Moves on and sets the optimiser's learning rates. Throws Error, and changes nothing, where a rate overflows.
  void step();
  std::int64_t steps() const { return place_.steps; }
  /// What has to be saved: the number of steps and the groups' rates that it started from.
  NamedTensors state() const override;
  /// Takes a state of as many groups, with valid numbers; then sets the rates.
  std::function<void()> prepare_load(const NamedTensors& state) override;

 private:
  struct Place {
    std::int64_t steps = 0;
    std::vector<double> bases = {};  // of each group
  };
  // Computes the rates there and returns what sets them; throws Error unless the optimiser may have them.
  std::function<void()> prepare(Place place);

  ParameterGroups& optimizer_;
  Rate rate_;
  Momentum momentum_;
  Place place_;
};

struct MultiStepLrOptions {
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;
};

/// The rate times gamma at each milestone.
struct MultiStepLr : Schedule {
  MultiStepLr(ParameterGroups& optimizer, MultiStepLrOptions options);
};

struct StepLrOptions {
  std::int64_t every = 0;  ///< steps (PyTorch's step_size)
  double gamma = 0.1;
};

/// The rate times gamma after every so many steps.
struct StepLr : Schedule {
  StepLr(ParameterGroups& optimizer, StepLrOptions options);
};

/// The rate times gamma after every step.
struct ExponentialLr : StepLr {
  ExponentialLr(ParameterGroups& optimizer, double gamma) : StepLr(optimizer, {.every = 1, .gamma = gamma}) {}
};

struct LinearWarmupOptions {
  std::int64_t steps = 0;
  double start = 0.0;  ///< the part of the rate that it begins with
};

/// From `start` times the rate straight up to the rate, which then stays (Goyal et al., arXiv 1706.02677).
struct LinearWarmup : Schedule {
  LinearWarmup(ParameterGroups& optimizer, LinearWarmupOptions options);
};

/// The rate times a function of the number of steps, which has to give the same for the same.
struct LambdaLr : Schedule {
  LambdaLr(ParameterGroups& optimizer, std::function<double(std::int64_t steps)> factor);
};

struct CosineLrOptions {
  std::int64_t total_steps = 0;
  double min_lr = 0.0;
};

/// Half a cosine from the rate to min_lr (Loshchilov and Hutter, arXiv 1608.03983), and back after total_steps.
struct CosineLr : Schedule {
  CosineLr(ParameterGroups& optimizer, CosineLrOptions options);
};

enum class Anneal : std::uint8_t { cosine, linear };

struct OneCycleLrOptions {
  double max_lr = 0.0;
  std::int64_t total_steps = 0;
  double rise = 0.3;  ///< part of the steps in which the rate rises (PyTorch's pct_start)
  Anneal anneal = Anneal::cosine;
  double start_divisor = 25.0;  ///< starts at max_lr / start_divisor
  double end_divisor = 1e4;     ///< ends at that / end_divisor
  bool cycle_momentum = true;   ///< momentum goes the other way (Sgd: if any group was made with momentum)
  double base_momentum = 0.85;
  double max_momentum = 0.95;
};

/// One rise to max_lr and one long fall (Smith and Topin, arXiv 1708.07120), for every group, as in PyTorch; after
/// total_steps the last rate stays.
struct OneCycleLr : Schedule {
  OneCycleLr(ParameterGroups& optimizer, OneCycleLrOptions options);
};

}  // namespace weft::nn

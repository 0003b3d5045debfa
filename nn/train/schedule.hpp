#pragma once
// Schedules of the learning rate. Each sets the rates of the start when made; step() moves on by one epoch or batch.
#include <weft/nn/train/optimizer.hpp>

#include <functional>
#include <optional>
#include <vector>

namespace weft::nn {

/// Base of the schedules. The optimiser must outlive it. Rates are a function of the number of steps, so they repeat
/// exactly after a resume.
class Schedule : public Stateful {
 public:
  ~Schedule() override;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// Moves on and sets the optimiser's learning rates. Throws Error, and changes nothing, where a rate overflows.
  void step();
  std::int64_t steps() const { return steps_; }
  /// What has to be saved: the number of steps and the groups' rates that it started from.
  NamedTensors state() const override;
  /// Takes a state of as many groups, with valid numbers; then sets the rates.
  std::function<void()> prepare_load(const NamedTensors& state) override;

 protected:
  explicit Schedule(Optimizer& optimizer);
  /// The rate after `steps` steps of a group that started at `base`.
  virtual double rate(double base, std::int64_t steps) const = 0;
  /// The momentum of every group after `steps` steps; nothing: schedules leave it alone.
  virtual std::optional<double> momentum(std::int64_t steps) const;
  /// Sets everything for the start; called by constructors at their end.
  void start() { move_to(checked({0, bases_})); }

 private:
  struct Place {
    std::int64_t steps;
    std::vector<double> bases;
  };
  Place checked(Place place) const;
  void move_to(Place place);

  Optimizer& optimizer_;
  std::vector<double> bases_;
  std::int64_t steps_ = 0;
};

struct MultiStepLrOptions {
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;
};

/// The rate times gamma at each milestone.
class MultiStepLr : public Schedule {
 public:
  MultiStepLr(Optimizer& optimizer, MultiStepLrOptions options);

 protected:
  double rate(double base, std::int64_t steps) const override;

 private:
  MultiStepLrOptions options_;
};

struct StepLrOptions {
  std::int64_t every = 0;  ///< steps (PyTorch's step_size)
  double gamma = 0.1;
};

/// The rate times gamma after every so many steps.
class StepLr : public Schedule {
 public:
  StepLr(Optimizer& optimizer, StepLrOptions options);

 protected:
  double rate(double base, std::int64_t steps) const override;

 private:
  StepLrOptions options_;
};

/// The rate times gamma after every step.
class ExponentialLr : public StepLr {
 public:
  ExponentialLr(Optimizer& optimizer, double gamma) : StepLr(optimizer, {.every = 1, .gamma = gamma}) {}
};

struct LinearWarmupOptions {
  std::int64_t steps = 0;
  double start = 0.0;  ///< the part of the rate that it begins with
};

/// From `start` times the rate straight up to the rate, which then stays (Goyal et al., arXiv 1706.02677).
class LinearWarmup : public Schedule {
 public:
  LinearWarmup(Optimizer& optimizer, LinearWarmupOptions options);

 protected:
  double rate(double base, std::int64_t steps) const override;

 private:
  LinearWarmupOptions options_;
};

/// The rate times a function of the number of steps, which has to give the same for the same.
class LambdaLr : public Schedule {
 public:
  LambdaLr(Optimizer& optimizer, std::function<double(std::int64_t steps)> factor);

 protected:
  double rate(double base, std::int64_t steps) const override;

 private:
  std::function<double(std::int64_t)> factor_;
};

struct CosineLrOptions {
  std::int64_t total_steps = 0;
  double min_lr = 0.0;
};

/// Half a cosine from the rate to min_lr (Loshchilov and Hutter, arXiv 1608.03983), and back after total_steps.
class CosineLr : public Schedule {
 public:
  CosineLr(Optimizer& optimizer, CosineLrOptions options);

 protected:
  double rate(double base, std::int64_t steps) const override;

 private:
  CosineLrOptions options_;
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
class OneCycleLr : public Schedule {
 public:
  OneCycleLr(Optimizer& optimizer, OneCycleLrOptions options);

 protected:
  double rate(double base, std::int64_t steps) const override;
  std::optional<double> momentum(std::int64_t steps) const override;

 private:
  double between(std::int64_t steps, double start, double top, double end) const;
  OneCycleLrOptions options_;
};

}  // namespace weft::nn

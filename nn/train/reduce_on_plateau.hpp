#pragma once
// The schedule that goes by a metric.
#include <weft/nn/train/schedule.hpp>

namespace weft::nn {

/// Which metrics are better.
enum class PlateauMode : std::uint8_t { min, max };
/// What a threshold is a part of, or that it is by itself.
enum class ThresholdMode : std::uint8_t { relative, absolute };

struct ReduceOnPlateauOptions {
  PlateauMode mode = PlateauMode::min;
  double factor = 0.1;
  std::int64_t patience = 10;  ///< steps in a row without a better metric that are put up with
  double threshold = 1e-4;     ///< by how much a metric has to be better than the best, relative to it or not
  ThresholdMode threshold_mode = ThresholdMode::relative;
  std::int64_t cooldown = 0;  ///< steps after a reduction in which none counts
  double min_lr = 0.0;        ///< of every group
  double eps = 1e-8;          ///< a reduction by no more is left out
};

/// The rate times `factor`, though not below min_lr, when a metric has not become better for more than `patience` steps
/// in a row, as in PyTorch; nan is never better. The optimiser must outlive it.
class ReduceOnPlateau : public Stateful {
 public:
  explicit ReduceOnPlateau(ParameterGroups& optimizer, ReduceOnPlateauOptions options = {});

  /// Takes the metric of an epoch, and sets the optimiser's learning rates if they are to be reduced.
  void step(double metric);
  /// The best metric so far, to start with infinity or -infinity.
  double best() const { return place_.best; }
  /// How often the rates have been reduced.
  std::int64_t reductions() const { return reductions_.steps(); }

  /// What has to be saved: the number of reductions, the groups' first rates, the best metric, and two counts of steps.
  NamedTensors state() const override;
  /// Takes a state of as many groups, with valid numbers; then sets the rates.
  std::function<void()> prepare_load(const NamedTensors& state) override;

 private:
  struct Place {
    double best;
    std::int64_t bad_steps = 0, cooldown_left = 0;
  };

  bool is_better(double metric) const;

  ReduceOnPlateauOptions options_;
  Schedule reductions_;  // a step of it is a reduction
  Place place_;
};

}  // namespace weft::nn

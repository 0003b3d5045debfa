#pragma once
// Optimisers that change each parameter in place by its gradient.
#include <weft/nn/train/parameter_groups.hpp>

namespace weft::nn {

/// Parameters with options of their own: `Sgd({{weights, {.lr = 0.1, .weight_decay = 1e-4}}, {biases, {.lr = 0.1}}})`.
template <class Options>
struct ParamGroup {
  Tensors parameters;
  Options options = {};
};

/// Base of the optimisers that update each parameter by its own gradient, with state tensors of its shape. Parameters
/// without a gradient are left alone.
class Optimizer : public ParameterGroups {
 public:
  /// One update of every parameter that has a gradient. Nothing is recorded.
  void step();

  /// Everything needed to go on, by name: copies of the numbers, handles to the rest ("momentum.0" belongs to the first
  /// parameter and has its dtype).
  NamedTensors state() const override;
  /// Takes names and shapes as those of state(), and valid numbers.
  std::function<void()> prepare_load(const NamedTensors& state) override;

 protected:
  using ParameterGroups::ParameterGroups;
  /// Gives each parameter state tensors of these names; called once, after the groups.
  void add_slots(std::vector<std::string> names);
  bool has_slots() const { return !slot_names_.empty(); }

  /// Updates a parameter by its gradient. `slots` are its state tensors, all of its dtype; `step` counts its updates
  /// from 1.
  virtual void update_in_group(int group, Rates rates, Tensor& p, const Tensor& g, Tensors& slots,
                               std::int64_t step) const = 0;
  /// Whether such an update leaves elements as they are whose gradient is 0, and their state.
  virtual bool leaves_zeros(int group, Rates rates, std::int64_t step) const = 0;

 private:
  Tensor slot(std::size_t parameter, std::size_t number) const;
  void update(int group, Tensor& p, const Tensor& g, Tensors& slots, std::int64_t step) const;

  std::vector<std::string> slot_names_;
  std::vector<Tensors> slots_;       // of each parameter
  std::vector<std::int64_t> steps_;  // of each parameter
};

/// An optimiser from its options and its update; of a module's parameters, `Adam(net, {.lr = 1e-3})`, of these tensors,
/// or of groups with options of their own. `class Mine : public OptimizerOf<Mine, MineOptions>` says
///
///     static constexpr const char* name = "Mine";
///     // names of its state tensors
///     static std::vector<std::string> slots(const std::vector<MineOptions>& groups);
///     static void check(const MineOptions& options);  // throws Error if they are wrong
///     static void update(Tensor& p, const Tensor& g, Tensors& slots, const MineOptions& options,
///                        std::int64_t step);
///
/// where MineOptions has an `lr`; and, where it has a momentum too,
///
///     static constexpr double MineOptions::*momentum_option = &MineOptions::momentum;
///
/// and, where an update leaves elements as they are whose gradient is 0, so that of a table (nn::Embedding) only the
/// rows need be updated that were looked up,
///
///     static bool leaves_zeros(const MineOptions& options, std::int64_t step);
template <class Self, class Options>
class OptimizerOf : public Optimizer {
 public:
  explicit OptimizerOf(const Tensors& parameters, Options options = {})
      : OptimizerOf(std::vector<ParamGroup<Options>>{{parameters, options}}) {}
  explicit OptimizerOf(const Module& module, Options options = {}) : OptimizerOf(module.parameters(), options) {}
  explicit OptimizerOf(const std::vector<ParamGroup<Options>>& groups) : Optimizer(Self::name) {
    for (const auto& group : groups) {
      Self::check(group.options);
      Self::check_together(group.options);
      add_group(group.parameters, {group.options.lr, momentum_of(group.options)});
      options_.push_back(group.options);
    }
    add_slots(Self::slots(options_));
  }

 protected:
  static constexpr double Options::*momentum_option = nullptr;
  /// What options exclude one another in a new group; a schedule may change its rates to such later.
  static void check_together(const Options&) {}
  static bool leaves_zeros(const Options&, std::int64_t) { return false; }

  bool has_momentum() const override { return Self::momentum_option != nullptr; }

 private:
  static double momentum_of(const Options& options) {
    if constexpr (Self::momentum_option != nullptr) return options.*Self::momentum_option;
    return 0;
  }
  Options options_with(int group, Rates rates) const {
    Options options = options_[static_cast<std::size_t>(group)];
    options.lr = rates.lr;
    if constexpr (Self::momentum_option != nullptr) options.*Self::momentum_option = rates.momentum;
    return options;
  }
  void check_options(int group, Rates rates) const override { Self::check(options_with(group, rates)); }
  void update_in_group(int group, Rates rates, Tensor& p, const Tensor& g, Tensors& slots,
                       std::int64_t step) const override {
    Self::update(p, g, slots, options_with(group, rates), step);
  }
  bool leaves_zeros(int group, Rates rates, std::int64_t step) const override {
    return Self::leaves_zeros(options_with(group, rates), step);
  }

  std::vector<Options> options_;  // of each group; the rates that count are the base's
};

}  // namespace weft::nn

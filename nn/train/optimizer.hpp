#pragma once
// What optimisers have in common: they change parameters in place by their gradients.
#include <weft/nn/module.hpp>
#include <weft/nn/stateful.hpp>

namespace weft::nn {

/// Parameters with options of their own: `Sgd({{weights, {.lr = 0.1, .weight_decay = 1e-4}}, {biases, {.lr = 0.1}}})`.
template <class Options>
struct ParamGroup {
  Tensors parameters;
  Options options = {};
};

/// Base of the optimisers. It holds handles to the parameters and state tensors of their shapes. Parameters without a
/// gradient are left alone.
class Optimizer : public Stateful {
 public:
  ~Optimizer() override;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update of every parameter that has a gradient. Nothing is recorded.
  void step();
  /// Forgets the gradients.
  void zero_grad();

  /// The learning rate of a group.
  double lr(int group = 0) const;
  /// Sets it, for every group or for one.
  void set_lr(double lr);
  void set_lr(double lr, int group);
  int group_count() const { return static_cast<int>(rates_.size()); }
  /// Momentum (Adam's beta1) of a group, as schedules see it; 0 where an optimiser has none.
  double momentum(int group = 0) const;
  /// Sets it. Sgd made without momentum in any group has no buffers for it and leaves it at 0.
  void set_momentum(double momentum, int group);
  /// Throws Error unless set_lr and set_momentum would take these.
  void check_rates(double lr, double momentum, int group) const;

  const Tensors& parameters() const { return parameters_; }
  /// Everything needed to go on, by name: copies of the numbers, handles to the rest ("momentum.0" belongs to the first
  /// parameter and has its dtype).
  NamedTensors state() const override;
  /// Takes names and shapes as those of state(), and valid numbers.
  std::function<void()> prepare_load(const NamedTensors& state) override;

 protected:
  struct Rates {
    double lr, momentum;
  };

  explicit Optimizer(const char* name) : name_(name) {}
  /// The parameters of the next group join the others.
  void add_group(const Tensors& parameters, Rates rates);
  /// Gives each parameter state tensors of these names; called once, after the groups.
  void add_slots(std::vector<std::string> names);
  bool has_slots() const { return !slot_names_.empty(); }

  /// Whether there is anything that momentum acts on.
  virtual bool has_momentum() const = 0;
  /// Throws Error unless the group may have these rates.
  virtual void check_options(int group, Rates rates) const = 0;
  /// Updates a parameter by its gradient. `slots` are its state tensors, all of its dtype; `step` counts its updates
  /// from 1.
  virtual void update_in_group(int group, Rates rates, Tensor& p, const Tensor& g, Tensors& slots,
                               std::int64_t step) const = 0;

 private:
  const Rates& rates(int group) const;
  Tensor slot(std::size_t parameter, std::size_t number) const;

  const char* name_;
  Tensors parameters_;
  std::vector<int> group_of_;  // of each parameter
  std::vector<Rates> rates_;   // of each group
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

  std::vector<Options> options_;  // of each group; the rates that count are the base's
};

}  // namespace weft::nn

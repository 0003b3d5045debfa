#pragma once
// What all optimisers have, and schedules change: parameters in groups, and the rates of each group.
#include <weft/nn/module.hpp>
#include <weft/nn/stateful.hpp>

namespace weft::nn {

/// Base of all optimisers: handles to parameters in groups, each with a learning rate and a momentum, which a schedule
/// may set.
class ParameterGroups : public Stateful {
 public:
  ParameterGroups(const ParameterGroups&) = delete;
  ParameterGroups& operator=(const ParameterGroups&) = delete;

  const Tensors& parameters() const { return parameters_; }
  /// Forgets the gradients.
  void zero_grad();

  int group_count() const { return static_cast<int>(rates_.size()); }
  /// The learning rate of a group.
  double lr(int group = 0) const;
  /// Sets it, for every group or for one.
  void set_lr(double lr);
  void set_lr(double lr, int group);
  /// Momentum (Adam's beta1) of a group, as schedules see it; 0 where an optimiser has none.
  double momentum(int group = 0) const;
  /// Sets it. What has no momentum leaves it at 0, and so does Sgd if no group was made with it.
  void set_momentum(double momentum, int group);
  /// Throws Error unless set_lr and set_momentum would take these.
  void check_rates(double lr, double momentum, int group) const;

 protected:
  struct Rates {
    double lr, momentum;
  };

  explicit ParameterGroups(const char* kind) : kind_(kind) {}
  /// The optimiser's name in messages.
  const char* kind() const { return kind_; }
  /// The parameters of the next group join the others. Throws Error unless they are floating leaves.
  void add_group(const Tensors& parameters, Rates rates);
  /// Throws Error unless there are parameters, and each once; called after the groups.
  void check_parameters() const;
  int group_of(std::size_t parameter) const { return group_of_[parameter]; }
  const Rates& rates(int group) const;

  /// The groups' rates as saved tensors, "lr" and "momenta".
  NamedTensors rates_state() const;
  /// Throws Error unless the groups may have these rates, saved as above; returns what sets them.
  std::function<void()> prepare_rates(const Tensor& lrs, const Tensor& momenta);

  /// Whether there is anything that momentum acts on.
  virtual bool has_momentum() const { return false; }
  /// Throws Error unless the group may have these rates.
  virtual void check_options(int, Rates) const {}

 private:
  const char* kind_;
  Tensors parameters_;
  std::vector<int> group_of_;  // of each parameter
  std::vector<Rates> rates_;   // of each group
};

}  // namespace weft::nn

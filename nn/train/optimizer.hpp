#pragma once
// Optimisers: they change parameters in place by their gradients.
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
  int group_count() const { return static_cast<int>(lrs_.size()); }
  /// Momentum (Adam's beta1) of a group, as schedules see it.
  virtual double momentum(int group = 0) const = 0;
  /// Sets it. Sgd made without momentum in any group has no buffers for it and leaves it at 0.
  void set_momentum(double momentum, int group);
  /// Throws Error unless set_lr and set_momentum would take these.
  void check_rates(double lr, double momentum, int group) const;

  const Tensors& parameters() const { return parameters_; }
  /// Everything needed to go on, by name: copies of the numbers, handles to the rest ("momentum.0" belongs to the first
  /// parameter and has its dtype).
  NamedTensors state() const override;
  /// Throws Error unless load_state would take this: names and shapes are those of state(), numbers are valid.
  void check_state(const NamedTensors& state) const override;
  /// Takes over a saved state. Throws Error, and changes nothing, unless check_state accepts it.
  void load_state(const NamedTensors& state) override;

 protected:
  /// `slots` are the names of the state tensors that each parameter has.
  Optimizer(const char* name, const std::vector<const Tensors*>& groups, const std::vector<double>& lrs,
            std::vector<std::string> slots);
  /// Updates a parameter by its gradient. `step` counts its updates from 1; `slots` are its state tensors, all of the
  /// parameter's dtype.
  virtual void update(Tensor& p, const Tensor& g, Tensors& slots, int group, std::int64_t step) const = 0;
  /// Throws Error unless a group may have this momentum.
  virtual void check_momentum(double momentum) const = 0;
  /// Sets a momentum that has been checked.
  virtual void assign_momentum(double momentum, int group) = 0;
  /// Throws Error unless there is such a group.
  void check_group(int group) const;
  bool has_slots() const { return !slot_names_.empty(); }

 private:
  Tensor slot(std::size_t parameter, std::size_t number) const;
  Tensors matched(const NamedTensors& saved) const;

  const char* name_;
  Tensors parameters_;
  std::vector<int> group_of_;  // of each parameter
  std::vector<double> lrs_;    // of each group
  std::vector<std::string> slot_names_;
  std::vector<Tensors> slots_;       // of each parameter
  std::vector<std::int64_t> steps_;  // of each parameter
};

struct SgdOptions {
  double lr = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  double dampening = 0.0;
  bool nesterov = false;
};

/// Stochastic gradient descent with momentum or Nesterov's (Sutskever et al., ICML 2013), as in PyTorch:
/// g += decay p; buffer = momentum buffer + (1 - dampening) g (the first time: g); p -= lr (nesterov ? g + momentum
/// buffer : buffer).
class Sgd : public Optimizer {
 public:
  explicit Sgd(const Tensors& parameters, SgdOptions options = {});
  explicit Sgd(const std::vector<ParamGroup<SgdOptions>>& groups);
  double momentum(int group = 0) const override;

 protected:
  void update(Tensor& p, const Tensor& g, Tensors& slots, int group, std::int64_t step) const override;
  void check_momentum(double momentum) const override;
  void assign_momentum(double momentum, int group) override;

 private:
  std::vector<SgdOptions> options_;
};

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
};

/// Adam (Kingma and Ba, arXiv 1412.6980), as in PyTorch; weight decay is added to the gradient.
class Adam : public Optimizer {
 public:
  explicit Adam(const Tensors& parameters, AdamOptions options = {});
  explicit Adam(const std::vector<ParamGroup<AdamOptions>>& groups);
  double momentum(int group = 0) const override;

 protected:
  Adam(const char* name, const std::vector<ParamGroup<AdamOptions>>& groups, bool decoupled);
  void update(Tensor& p, const Tensor& g, Tensors& slots, int group, std::int64_t step) const override;
  void check_momentum(double momentum) const override;
  void assign_momentum(double momentum, int group) override;

 private:
  std::vector<AdamOptions> options_;
  bool decoupled_;
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;
};

/// Adam whose weight decay shrinks the parameters by lr * decay instead (Loshchilov and Hutter, arXiv 1711.05101).
class AdamW : public Adam {
 public:
  explicit AdamW(const Tensors& parameters, AdamWOptions options = {});
  explicit AdamW(const std::vector<ParamGroup<AdamWOptions>>& groups);
};

}  // namespace weft::nn

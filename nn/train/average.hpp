#pragma once
// Averages of weights over the steps of training.
#include <weft/nn/clone.hpp>
#include <weft/nn/stateful.hpp>

namespace weft::nn {

/// A copy of a module whose parameters are an average of what the original's have been, in evaluation mode and without
/// gradients. Floating buffers are averaged likewise, others copied; update_batch_norm() fits running statistics to the
/// averaged weights. It holds the original's tensors, not the module.
class Average : public Stateful {
 public:
  /// What is left of the average after so many updates: average = decay average + (1 - decay) value.
  using Decay = std::function<double(std::int64_t updates)>;

  /// Without a decay all values count alike (stochastic weight averaging: Izmailov et al., arXiv 1803.05407), as in
  /// PyTorch's AveragedModel: the first update copies, and the average is the mean of what the updates saw. Throws
  /// Error if the module cannot be copied.
  template <std::derived_from<Module> M>
  explicit Average(const M& module, Decay decay = nullptr) : Average(module, clone(module), std::move(decay)) {}
  Average(const Average&) = delete;
  Average& operator=(const Average&) = delete;

  /// To be called after each step of the optimiser, or each epoch. Throws Error, and changes nothing, unless
  /// 0 <= decay < 1, and if the module has another dtype than its copy.
  void update();
  std::int64_t updates() const { return updates_; }
  /// The averaged copy: to be evaluated, saved and loaded like any other.
  Module& module() { return *average_; }

  /// What has to be saved to go on: "updates", and handles to the copy's tensors ("module.0.weight").
  NamedTensors state() const override;
  /// Takes names, shapes and dtypes as those of state().
  std::function<void()> prepare_load(const NamedTensors& state) override;

 private:
  Average(const Module& module, ModulePtr copy, Decay decay);

  ModulePtr average_;
  std::vector<std::pair<Tensor, Tensor>> pairs_;  // of the average and the original
  Decay decay_;
  std::int64_t updates_ = 0;
};

/// The average in which older values count less and less, by the same decay each time (Polyak and Juditsky, SIAM J.
/// Control Optim. 30, 1992). It starts with the values that the module has.
struct Ema : Average {
  /// Throws Error unless 0 <= decay < 1.
  template <std::derived_from<Module> M>
  explicit Ema(const M& module, double decay = 0.999) : Average(module, constant(decay)) {}

 private:
  static Decay constant(double decay);
};

}  // namespace weft::nn

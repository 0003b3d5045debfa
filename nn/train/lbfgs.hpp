#pragma once
// L-BFGS.
#include <weft/nn/train/parameter_groups.hpp>

namespace weft::nn {

/// How far Lbfgs goes along a direction.
enum class LineSearch : std::uint8_t {
  none,         ///< lr times it
  strong_wolfe  ///< until the loss and its slope have fallen enough (the strong Wolfe conditions)
};

struct LbfgsOptions {
  double lr = 1.0;                 ///< the step that is tried first along each direction
  int max_iter = 20;               ///< iterations of one step()
  int max_eval = 0;                ///< after so many evaluations it begins no other iteration; 0: 5/4 of max_iter
  double tolerance_grad = 1e-7;    ///< it ends where no gradient is larger,
  double tolerance_change = 1e-9;  ///< and where the loss, or every parameter, has changed by no more
  int history_size = 100;          ///< steps that it remembers: two vectors as large as all parameters each
  LineSearch line_search = LineSearch::strong_wolfe;
};

/// L-BFGS (Nocedal and Wright, Numerical Optimization, 2006, section 7.2), for smooth losses that are the same function
/// at every evaluation: all data at once, without dropout. As in PyTorch, but for the line search, which there is off
/// unless asked for. The parameters have one dtype and one group; one without a gradient stays where it is.
class Lbfgs : public ParameterGroups {
 public:
  /// Computes the loss and its gradients and returns the loss, a Tensor:
  /// `[&] { net.zero_grad(); Tensor l = loss(); l.backward(); return l; }`. (step() forgets the gradients before each
  /// call too.)
  using Closure = std::function<Tensor()>;

  explicit Lbfgs(const Tensors& parameters, LbfgsOptions options = {});
  explicit Lbfgs(const Module& module, LbfgsOptions options = {}) : Lbfgs(module.parameters(), options) {}

  /// Up to max_iter iterations, each along one direction, with one evaluation or more. Returns the loss before the
  /// first. The closure is called with gradients on. A loss or slope that is not finite is not gone to. Throws Error if
  /// the closure gives no loss of one element or leaves no gradient; if it throws, the parameters are those that the
  /// last whole iteration left.
  Tensor step(const Closure& closure);

  /// Everything needed to go on, by name: the rate, the number of iterations, the last gradient and step, and
  /// "step.0", "change.0", ...: what it remembers of steps and of the gradient's changes, in the parameters' dtype.
  NamedTensors state() const override;
  /// Takes a state of as many parameters, with no more steps than history_size.
  std::function<void()> prepare_load(const NamedTensors& state) override;

 private:
  // A step, and what the gradient changed by in it. Their product is the curvature along it.
  struct Pair {
    Tensor step, change;
    double curvature;
  };
  struct Memory {
    std::int64_t iterations = 0;
    Tensor gradient, step;           // of the last iteration: the gradient before its step
    std::vector<Pair> history = {};  // the oldest first

    void keep(const Tensor& of, const Tensor& change);
    Memory in(DType dtype) const;
    Tensor direction(const Tensor& at) const;
  };
  struct Point {
    Tensor loss, gradient;
  };

  DType dtype() const;
  Point evaluate(const Closure& closure);
  NamedTensors named(const Memory& memory) const;

  const LbfgsOptions options_;
  Memory memory_;
};

}  // namespace weft::nn

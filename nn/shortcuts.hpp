#pragma once
// Shortcuts: each computes what a line of plain code in forward would.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// x itself.
struct Identity : Module {
  Tensor forward(const Tensor& x) override { return x; }
};

/// Every stride-th pixel, and zeros for the channels that are missing, after those of x (He et al., arXiv 1512.03385,
/// option A): a shortcut without parameters. stride 1 takes vectors and sequences too.
class ZeroPad : public Module {
 public:
  ZeroPad(std::int64_t in, std::int64_t out, std::int64_t stride = 1);
  Tensor forward(const Tensor& x) override;

  const std::int64_t in, out, stride;
};

struct ResidualOptions {
  double scale = 1;  ///< of the body's result
  /// Stochastic depth (Huang et al., arXiv 1603.09382): in training the body runs with this probability, for the whole
  /// batch, or is left out; in evaluation its result is multiplied by it.
  double keep = 1;
};

/// scale body(x) + shortcut(x), the identity by default (He et al., arXiv 1512.03385). Throws Error naming both shapes
/// unless they are the same.
class Residual : public Module {
 public:
  using Options = ResidualOptions;
  explicit Residual(ModulePtr body, ModulePtr shortcut = nullptr, ResidualOptions options = {});
  Residual(ModulePtr body, ResidualOptions options);
  Tensor forward(const Tensor& x) override;

  Child<Module> body, shortcut;
  const ResidualOptions options;
};

/// A residual block whose body runs in training with probability `keep`, under its paper's name.
struct StochasticDepth : Residual {
  StochasticDepth(ModulePtr body, double keep);
};

/// x and body(x) beside each other along the last axis (Huang et al., arXiv 1608.06993).
class Concat : public Module {
 public:
  explicit Concat(ModulePtr body);
  Tensor forward(const Tensor& x) override;

  Child<Module> body;
};

}  // namespace weft::nn

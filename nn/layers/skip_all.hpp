#pragma once
// Every layer seen by all later ones.
#include <weft/nn/containers.hpp>

#include <optional>
#include <vector>

namespace weft::nn {

struct SkipAllOptions {
  bool adaptive = true;  ///< the weights are trained; else they stay as they are, and are saved
};

/// Bodies one after another, each with shortcuts from the input and from all bodies before it: with h[0] = x,
///   h[l + 1] = bodies[l](h[l]) + weights[l][0] h[0] + ... + weights[l][l] h[l].
/// At first the last of the weights is 1, as in a residual net, and the l others are 1 / l: hyper-residual nets (Orhan
/// and Pitkow, arXiv 1701.09175) with a number in the place of their fixed random matrices. Throws Error naming both
/// shapes unless every body keeps that of x.
class SkipAll : public Module {
 public:
  using Options = SkipAllOptions;
  explicit SkipAll(std::vector<ModulePtr> bodies, SkipAllOptions options = {});
  Tensor forward(const Tensor& x) override;

  Child<ModuleList> bodies;
  /// Row after row, 1 + 2 + ... in all: a parameter "weights", or a buffer if they are not adaptive.
  Tensor weights() const;

 private:
  std::optional<Param> adaptive_;
  std::optional<Buffer> fixed_;
};

}  // namespace weft::nn

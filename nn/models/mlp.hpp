#pragma once
// Fully connected nets with shortcuts.
#include <weft/engine/function.hpp>
#include <weft/nn/module.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/unary.hpp>

#include <vector>

namespace weft::nn {

struct SkipMlpOptions {
  Function activation = tanh;  ///< of the hidden layers
};

/// A fully connected net whose inputs also go to its outputs directly (skip-layer connections: Bishop, Pattern
/// Recognition and Machine Learning, 2006, section 5.1): a linear model and what the hidden layers add to it,
///   output(hidden(x)) + skip(x), of which skip has no bias.
/// {..., in} to {..., out}; one hidden layer for each of the widths: `skip_mlp(3, {16}, 2)`. Every layer starts as
/// Linear does. Throws Error unless there is a hidden layer and all sizes are positive.
ModulePtr skip_mlp(std::int64_t in, const std::vector<std::int64_t>& hidden, std::int64_t out,
                   SkipMlpOptions options = {});

struct HighwayMlpOptions {
  Function activation = relu;  ///< of the highway layers' bodies
  double gate_bias = -2;       ///< that the gates start with: the less, the more is carried past a new layer
};

/// A linear layer to `width` features, then `layers` highway layers with a linear map and the activation as their
/// bodies, then a linear layer (Srivastava et al., arXiv 1505.00387, whose nets of 9 to 99 such layers have the width
/// 50 on MNIST). {..., in} to {..., out}: `highway_mlp(784, 50, 9, 10)`. Throws Error unless all sizes are positive.
ModulePtr highway_mlp(std::int64_t in, std::int64_t width, std::int64_t layers, std::int64_t out,
                      HighwayMlpOptions options = {});

}  // namespace weft::nn

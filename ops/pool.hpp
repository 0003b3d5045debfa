#pragma once
// Pooling of channels-last images {batch, height, width, channels}.
#include <weft/ops/conv.hpp>

#include <optional>

namespace weft {

/// A Pair, or nothing.
struct OptionalPair : std::optional<Pair> {
  using optional::optional;
  OptionalPair() = default;
  OptionalPair(std::int64_t h, std::int64_t w) : optional(Pair(h, w)) {}
};

struct PoolOptions {
  Pair kernel = 2;
  OptionalPair stride = {};  ///< by default the kernel
  Pair padding = 0;          ///< at most half the kernel
};

/// The largest value in each window; padding never wins, a nan does. The first of equal values takes the gradient.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options = {});
/// The mean of each window; padding counts as zeros, as in PyTorch.
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options = {});
/// The mean over height and width: {batch, channels}.
Tensor global_avg_pool(const Tensor& x);

}  // namespace weft

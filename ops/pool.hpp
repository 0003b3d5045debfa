#pragma once
// Pooling of channels-last images {batch, height, width, channels}.
#include <weft/ops/conv.hpp>

#include <optional>

namespace weft {

struct PoolOptions {
  Pair kernel = 2;
  std::optional<Pair> stride = {};  ///< by default the kernel
  Pair padding = 0;                 ///< at most half the kernel
};

/// The largest value in each window; padding never wins, a nan does. The first of equal values takes the gradient.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options = {});
/// The mean of each window; padding counts as zeros, as in PyTorch.
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options = {});
/// The mean over height and width: {batch, channels}.
Tensor global_avg_pool(const Tensor& x);

}  // namespace weft

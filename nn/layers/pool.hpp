#pragma once
// Pooling as modules, on channels-last images {batch, height, width, channels}.
#include <weft/nn/module.hpp>
#include <weft/ops/pool.hpp>

namespace weft::nn {

struct MaxPool2d : Module {
  using Options = PoolOptions;
  explicit MaxPool2d(const PoolOptions& pool_options = {}) : options(pool_options) {}
  Tensor forward(const Tensor& x) override { return max_pool2d(x, options); }
  const PoolOptions options;
};
struct AvgPool2d : Module {
  using Options = PoolOptions;
  explicit AvgPool2d(const PoolOptions& pool_options = {}) : options(pool_options) {}
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, options); }
  const PoolOptions options;
};
/// The mean over height and width: {batch, channels}.
struct GlobalAvgPool : Module {
  Tensor forward(const Tensor& x) override { return global_avg_pool(x); }
};

}  // namespace weft::nn

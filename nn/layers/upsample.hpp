#pragma once
// Upsampling as a module.
#include <weft/nn/module.hpp>
#include <weft/ops/resample.hpp>

namespace weft::nn {

/// upsample, on channels-last images {batch, height, width, channels} or sequences {batch, length, channels}.
struct Upsample : Module {
  using Options = UpsampleOptions;
  explicit Upsample(const UpsampleOptions& upsample_options) : options(upsample_options) {}
  explicit Upsample(double factor, UpsampleMode mode = UpsampleMode::nearest)
      : options{.scale = factor, .mode = mode} {}
  Tensor forward(const Tensor& x) override { return upsample(x, options); }
  const UpsampleOptions options;
};

}  // namespace weft::nn

#pragma once
// Convolution of channels-last images.
#include <weft/engine/tensor.hpp>

namespace weft {

/// Two sizes, height and width; one number stands for both.
struct Pair {
  std::int64_t height, width;
  template <std::integral T>
  Pair(T both) : Pair(static_cast<std::int64_t>(both), static_cast<std::int64_t>(both)) {}  // NOLINT: .stride = 2
  Pair(std::int64_t h, std::int64_t w) : height(h), width(w) {}
};

struct ConvOptions {
  Pair stride = 1;
  Pair padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
};

/// Cross-correlation, as every deep-learning library's convolution: x {batch, height, width, in}, w {kernel_h,
/// kernel_w, in / groups, out} give {batch, out_h, out_w, out} with out_h = (height + 2 padding - dilation (kernel_h -
/// 1) - 1) / stride + 1. Bias is added by the caller. f32 and f64.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options = {});

}  // namespace weft

#pragma once
// Pooling of {batch, height, width, channels} images. T is float or double.
#include <cstdint>

namespace weft::detail {

/// Sizes in pixels; out = (in + 2 * pad - kernel) / stride + 1 is the caller's to compute and check.
struct PoolShape {
  std::int64_t batch, in_h, in_w, channels, out_h, out_w;
  std::int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

/// Where in its image a window's winner stands, h * in_w + w: half of what an i64 tensor would hold.
using Position = std::int32_t;

/// Largest value of each window, NaN if there is one; padding never wins. `index` (may be null) receives the
/// first winner. A window of padding alone is -inf at position 0: the caller rules it out by pad < kernel.
template <class T>
void max_pool2d(const T* x, T* y, Position* index, const PoolShape& shape);

/// dx = dy added up at the saved positions; writes all of dx.
template <class T>
void max_pool2d_backward(const T* dy, const Position* index, T* dx, const PoolShape& shape);

/// Mean of each window; padding counts as zeros, in the divisor too (as in PyTorch).
template <class T>
void avg_pool2d(const T* x, T* y, const PoolShape& shape);

/// Gradient of avg_pool2d; writes all of dx.
template <class T>
void avg_pool2d_backward(const T* dy, T* dx, const PoolShape& shape);

/// Mean over the pixels: (batch, pixels, channels) -> (batch, channels).
template <class T>
void global_avg_pool(const T* x, T* y, std::int64_t batch, std::int64_t pixels, std::int64_t channels);

/// Gradient of global_avg_pool; writes all of dx.
template <class T>
void global_avg_pool_backward(const T* dy, T* dx, std::int64_t batch, std::int64_t pixels, std::int64_t channels);

}  // namespace weft::detail

#pragma once
// Pooling of {batch, height, width, channels} images. T is float or double.
#include <cstdint>

namespace weft::detail {

/// Sizes in pixels; out = (in + 2 * pad - kernel) / stride + 1 is the caller's to compute and check.
struct PoolShape {
  std::int64_t batch, in_h, in_w, channels, out_h, out_w;
  std::int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

/// Largest value of each window, NaN if there is one; padding never wins. `index` (may be null) receives the position
/// h * in_w + w of the first winner in its image: take_along and scatter_add_along over {batch, in_h * in_w, channels}
/// then give the value and the gradient. Index is int32_t or int64_t. A window of
/// padding alone is -inf at position 0: the caller rules it out by pad < kernel.
template <class T, class Index>
void max_pool2d(const T* x, T* y, Index* index, const PoolShape& shape);

/// dx = dy added up at the saved positions; writes all of dx.
template <class T, class Index>
void max_pool2d_backward(const T* dy, const Index* index, T* dx, const PoolShape& shape);

/// Mean of each window; padding counts as zeros in the divisor if count_include_pad (as in PyTorch).
template <class T>
void avg_pool2d(const T* x, T* y, const PoolShape& shape, bool count_include_pad);

/// Gradient of avg_pool2d; writes all of dx.
template <class T>
void avg_pool2d_backward(const T* dy, T* dx, const PoolShape& shape, bool count_include_pad);

/// Mean over the pixels: (batch, pixels, channels) -> (batch, channels).
template <class T>
void global_avg_pool(const T* x, T* y, std::int64_t batch, std::int64_t pixels, std::int64_t channels);

/// Gradient of global_avg_pool; writes all of dx.
template <class T>
void global_avg_pool_backward(const T* dy, T* dx, std::int64_t batch, std::int64_t pixels, std::int64_t channels);

}  // namespace weft::detail

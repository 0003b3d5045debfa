#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/pool/pool.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

#include <algorithm>
#include <limits>

namespace weft::detail {

namespace {

constexpr std::int64_t channels_together = 256;  // their results stay in registers or L1

// The part of a window that lies inside the image, along one axis.
struct Span {
  std::int64_t begin, end;
  std::int64_t size() const { return std::max<std::int64_t>(end - begin, 0); }
};
Span window(std::int64_t out, std::int64_t stride, std::int64_t pad, std::int64_t kernel, std::int64_t in) {
  const std::int64_t first = out * stride - pad;
  return {std::max<std::int64_t>(first, 0), std::min(first + kernel, in)};
}

// Calls f(n, out_h, out_w, rows, columns) for the windows of output rows [begin, end) of all images.
template <class F>
void for_windows(const PoolShape& s, std::int64_t begin, std::int64_t end, F&& f) {
  for (std::int64_t k = begin; k < end; ++k) {
    const std::int64_t n = k / s.out_h, h = k % s.out_h;
    const Span rows = window(h, s.stride_h, s.pad_h, s.kernel_h, s.in_h);
    for (std::int64_t w = 0; w < s.out_w; ++w) f(n, h, w, rows, window(w, s.stride_w, s.pad_w, s.kernel_w, s.in_w));
  }
}

// The divisor of a mean: padded positions count up to the padded image's edge, as in PyTorch.
std::int64_t divisor(const PoolShape& s, std::int64_t h, std::int64_t w) {
  const std::int64_t top = h * s.stride_h - s.pad_h, left = w * s.stride_w - s.pad_w;
  return (std::min(top + s.kernel_h, s.in_h + s.pad_h) - top) * (std::min(left + s.kernel_w, s.in_w + s.pad_w) - left);
}

template <class T>
void max_window(const T* image, T* y, Position* index, const PoolShape& s, Span rows, Span columns) {
  alignas(64) T best[channels_together];
  alignas(64) Position position[channels_together];
  for (std::int64_t first = 0; first < s.channels; first += channels_together) {
    const std::int64_t width = std::min(channels_together, s.channels - first);
    std::fill_n(best, width, -std::numeric_limits<T>::infinity());
    std::fill_n(position, width,
                static_cast<Position>(rows.size() * columns.size() > 0 ? rows.begin * s.in_w + columns.begin : 0));
    for (std::int64_t h = rows.begin; h < rows.end; ++h)
      for (std::int64_t w = columns.begin; w < columns.end; ++w) {
        const T* pixel = image + (h * s.in_w + w) * s.channels + first;
        const auto here = static_cast<Position>(h * s.in_w + w);
        WEFT_INDEPENDENT
        for (std::int64_t c = 0; c < width; ++c) {
          const T v = pixel[c], b = best[c];
          const bool take = (int{v > b} | (int{v != v} & int{b == b})) != 0;
          best[c] = take ? v : b;
          position[c] = take ? here : position[c];
        }
      }
    std::copy_n(best, width, y + first);
    std::copy_n(position, width, index + first);
  }
}

}  // namespace

template <class T>
void max_pool2d(const T* x, T* y, Position* index, const PoolShape& s) {
  parallel_for(s.batch * s.out_h, grain_for(s.out_w * s.channels * s.kernel_h * s.kernel_w),
               [=](std::int64_t begin, std::int64_t end) {
                 for_windows(s, begin, end,
                             [=](std::int64_t n, std::int64_t h, std::int64_t w, Span rows, Span columns) {
                               const std::int64_t at = ((n * s.out_h + h) * s.out_w + w) * s.channels;
                               const T* image = x + n * s.in_h * s.in_w * s.channels;
                               if (index != nullptr) return max_window(image, y + at, index + at, s, rows, columns);
                               for_vectors<T>(s.channels, [=](auto v) {
                                 Vector<T> best(-std::numeric_limits<T>::infinity());
                                 for (std::int64_t i = rows.begin; i < rows.end; ++i)
                                   for (std::int64_t j = columns.begin; j < columns.end; ++j) {
                                     const Vector<T> pixel = v.load(image + (i * s.in_w + j) * s.channels);
                                     best = xsimd::select(pixel <= best || !(best == best), best, pixel);
                                   }
                                 v.store(y + at, best);
                               });
                             });
               });
}

template <class T>
void max_pool2d_backward(const T* dy, const Position* index, T* dx, const PoolShape& s) {
  const std::int64_t in = s.in_h * s.in_w * s.channels, out = s.out_h * s.out_w * s.channels;
  parallel_for(s.batch, grain_for(in + out), [=](std::int64_t begin, std::int64_t end) {
    std::fill_n(dx + begin * in, (end - begin) * in, T{0});
    for (std::int64_t n = begin; n < end; ++n)
      for (std::int64_t p = n * out; p < (n + 1) * out; p += s.channels)
        for (std::int64_t c = 0; c < s.channels; ++c)
          dx[n * in + static_cast<std::int64_t>(index[p + c]) * s.channels + c] += dy[p + c];
  });
}

template <class T>
void avg_pool2d(const T* x, T* y, const PoolShape& s) {
  parallel_for(s.batch * s.out_h, grain_for(s.out_w * s.channels * s.kernel_h * s.kernel_w),
               [=](std::int64_t begin, std::int64_t end) {
                 for_windows(s, begin, end,
                             [=](std::int64_t n, std::int64_t h, std::int64_t w, Span rows, Span columns) {
                               const T* image = x + n * s.in_h * s.in_w * s.channels;
                               T* to = y + ((n * s.out_h + h) * s.out_w + w) * s.channels;
                               const Vector<T> count(static_cast<T>(divisor(s, h, w)));
                               for_vectors<T>(s.channels, [=](auto v) {
                                 Vector<T> sum(T{0});
                                 for (std::int64_t i = rows.begin; i < rows.end; ++i)
                                   for (std::int64_t j = columns.begin; j < columns.end; ++j)
                                     sum = sum + v.load(image + (i * s.in_w + j) * s.channels);
                                 v.store(to, sum / count);
                               });
                             });
               });
}

template <class T>
void avg_pool2d_backward(const T* dy, T* dx, const PoolShape& s) {
  const std::int64_t in = s.in_h * s.in_w * s.channels, out = s.out_h * s.out_w * s.channels;
  parallel_for(s.batch, grain_for(in + out * s.kernel_h * s.kernel_w), [=](std::int64_t begin, std::int64_t end) {
    std::fill_n(dx + begin * in, (end - begin) * in, T{0});
    for_windows(s, begin * s.out_h, end * s.out_h,
                [=](std::int64_t n, std::int64_t h, std::int64_t w, Span rows, Span columns) {
                  T* image = dx + n * in;
                  const T* from = dy + n * out + (h * s.out_w + w) * s.channels;
                  const Vector<T> count(static_cast<T>(divisor(s, h, w)));
                  for_vectors<T>(s.channels, [=](auto v) {
                    const Vector<T> share = v.load(from) / count;
                    for (std::int64_t i = rows.begin; i < rows.end; ++i)
                      for (std::int64_t j = columns.begin; j < columns.end; ++j) {
                        T* pixel = image + (i * s.in_w + j) * s.channels;
                        v.store(pixel, v.load(pixel) + share);
                      }
                  });
                });
  });
}

template <class T>
void global_avg_pool(const T* x, T* y, std::int64_t batch, std::int64_t pixels, std::int64_t channels) {
  reduce_sum(x, y, {batch, pixels, channels});
  const T count = static_cast<T>(pixels);
  for (std::int64_t i = 0; i < batch * channels; ++i) y[i] /= count;
}

template <class T>
void global_avg_pool_backward(const T* dy, T* dx, std::int64_t batch, std::int64_t pixels, std::int64_t channels) {
  const Vector<T> count(static_cast<T>(pixels));
  parallel_for(batch, grain_for(pixels * channels), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      T* image = dx + n * pixels * channels;
      if (pixels == 0) continue;
      for_vectors<T>(channels, [=](auto v) { v.store(image, v.load(dy + n * channels) / count); });
      for (std::int64_t p = 1; p < pixels; ++p) std::copy_n(image, channels, image + p * channels);
    }
  });
}

#define WEFT_INSTANTIATE(T)                                                              \
  template void max_pool2d(const T*, T*, Position*, const PoolShape&);                   \
  template void max_pool2d_backward(const T*, const Position*, T*, const PoolShape&);    \
  template void avg_pool2d(const T*, T*, const PoolShape&);                              \
  template void avg_pool2d_backward(const T*, T*, const PoolShape&);                     \
  template void global_avg_pool(const T*, T*, std::int64_t, std::int64_t, std::int64_t); \
  template void global_avg_pool_backward(const T*, T*, std::int64_t, std::int64_t, std::int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

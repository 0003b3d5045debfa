// Depthwise convolution: nothing is summed over channels, so every pass is a sum of elementwise products over the taps,
// with the vectors along the channels.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

/// Neighbouring output pixels of one row that one tap joins to an input row.
struct Run {
  std::int64_t tap, in, out, count;  // in and out: the first pixels, counted through all images
};

/// Calls f(run) for every run of output rows [begin, end), counted through all images.
template <class F>
void for_runs(const ConvShape& s, std::int64_t begin, std::int64_t end, F f) {
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      const std::int64_t iy = row % s.oh * s.stride_h - s.pad_h + ky * s.dil_h;
      if (iy < 0 || iy >= s.h) continue;
      for (std::int64_t kx = 0; kx < s.kw; ++kx) {
        const Range x = Range::of(0, s.ow, s.stride_w, s.pad_w, kx * s.dil_w, s.w);
        if (x.begin == x.end) continue;
        const std::int64_t ix = x.begin * s.stride_w - s.pad_w + kx * s.dil_w;
        f(Run{ky * s.kw + kx, (row / s.oh * s.h + iy) * s.w + ix, row * s.ow + x.begin, x.end - x.begin});
      }
    }
  }
}

/// to[i] += from[i] * factor over `count` pixels, each a step apart.
template <class T>
void add_products(std::int64_t count, const T* from, std::int64_t from_step, const T* factor, T* to,
                  std::int64_t to_step, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; c += lanes<T>) {
    const FirstLanes<T> used(std::min(lanes<T>, channels - c));
    const Vector<T> scale = used.load(factor + c);
    for (std::int64_t i = 0; i < count; ++i) {
      T* sum = to + i * to_step + c;
      used.store(sum, xsimd::fma(used.load(from + i * from_step + c), scale, used.load(sum)));
    }
  }
}

}  // namespace

template <class T>
void depthwise_forward(const ConvShape& s, const T* x, const T* w, T* y) {
  const std::int64_t rows = s.n * s.oh;
  const std::int64_t channels = s.cout;
  const std::int64_t parts = conv_parts(rows, 4 * conv_flops(s));
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    const std::int64_t begin = rows * part / parts;
    const std::int64_t end = rows * last / parts;
    std::fill(y + begin * s.ow * channels, y + end * s.ow * channels, T(0));
    for_runs(s, begin, end, [&](const Run& run) {
      add_products(run.count, x + run.in * channels, s.stride_w * channels, w + run.tap * channels,
                   y + run.out * channels, channels, channels);
    });
  });
}

template <class T>
void depthwise_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx) {
  const std::int64_t channels = s.cout;
  const std::int64_t parts = conv_parts(s.n, 4 * conv_flops(s));
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    const std::int64_t begin = s.n * part / parts;
    const std::int64_t end = s.n * last / parts;
    std::fill(gx + begin * s.h * s.w * channels, gx + end * s.h * s.w * channels, T(0));
    for_runs(s, begin * s.oh, end * s.oh, [&](const Run& run) {
      add_products(run.count, gy + run.out * channels, channels, w + run.tap * channels, gx + run.in * channels,
                   s.stride_w * channels, channels);
    });
  });
}

template <class T>
void depthwise_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  const std::int64_t rows = s.n * s.oh;
  const std::int64_t channels = s.cout;
  const std::int64_t count = s.kh * s.kw * channels;
  const std::int64_t parts = sum_parts(rows, 4 * conv_flops(s), count);
  const Scratch<T> partials((parts - 1) * count);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      T* sums = part == 0 ? gw : partials.data() + (part - 1) * count;
      std::fill_n(sums, count, T(0));
      for_runs(s, rows * part / parts, rows * (part + 1) / parts, [&](const Run& run) {
        const T* in = x + run.in * channels;
        const T* out = gy + run.out * channels;
        for (std::int64_t c = 0; c < channels; c += lanes<T>) {
          const FirstLanes<T> used(std::min(lanes<T>, channels - c));
          Vector<T> sum = used.load(sums + run.tap * channels + c);
          for (std::int64_t i = 0; i < run.count; ++i) {
            sum = xsimd::fma(used.load(in + i * s.stride_w * channels + c), used.load(out + i * channels + c), sum);
          }
          used.store(sums + run.tap * channels + c, sum);
        }
      });
    }
  });
  add_partials(parts - 1, count, partials.data(), gw);
}

template void depthwise_forward(const ConvShape&, const float*, const float*, float*);
template void depthwise_forward(const ConvShape&, const double*, const double*, double*);
template void depthwise_backward_input(const ConvShape&, const float*, const float*, float*);
template void depthwise_backward_input(const ConvShape&, const double*, const double*, double*);
template void depthwise_backward_weight(const ConvShape&, const float*, const float*, float*);
template void depthwise_backward_weight(const ConvShape&, const double*, const double*, double*);

}  // namespace weft::detail

// Group norm as batch norm of each image by itself: sums down the columns, joined over the columns of a group.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/norm/norm.hpp>
#include <weft/ops/kernels/reduce/columns.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace weft::detail {

namespace {

// How many images make a part: where there are few each has all threads.
std::int64_t images_grain(const GroupShape& s) {
  return s.images < num_threads() ? s.images : grain_for(2 * s.pixels * s.channels);
}

}  // namespace

template <class T>
void group_norm(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, const GroupShape& s) {
  const std::int64_t width = s.channels / s.groups, size = s.pixels * s.channels;
  const std::int64_t repeat = column_repeat<T>(s.pixels, s.channels);
  const auto pixels = static_cast<double>(s.pixels), count = static_cast<double>(s.pixels * width);
  const ColumnValues<T> offset(s.channels, repeat, [=](std::int64_t c) { return bias == nullptr ? T{0} : bias[c]; });
  parallel_for(s.images, images_grain(s), [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> moments(static_cast<std::size_t>(2 * s.channels));
    double *means = moments.data(), *squares = means + s.channels;
    for (std::int64_t i = begin; i < end; ++i) {
      column_deviations(x + i * size, s.pixels, s.channels, means, squares);
      // What was of a channel becomes the group's, and the factor.
      for (std::int64_t g = 0; g < s.groups; ++g) {
        double *m = means + g * width, *q = squares + g * width;
        double middle = 0, total = 0;
        for (std::int64_t c = 0; c < width; ++c) middle += m[c];
        middle /= static_cast<double>(width);
        for (std::int64_t c = 0; c < width; ++c) total += q[c] + pixels * (m[c] - middle) * (m[c] - middle);
        const double scale = 1 / std::sqrt(total / count + eps);
        mean[i * s.groups + g] = static_cast<T>(middle);
        rstd[i * s.groups + g] = static_cast<T>(scale);
        for (std::int64_t c = 0; c < width; ++c) {
          m[c] = middle;
          q[c] = weight == nullptr ? scale : scale * static_cast<double>(weight[g * width + c]);
        }
      }
      const ColumnValues<T> about(s.channels, repeat, [=](std::int64_t c) { return means[c]; });
      const ColumnValues<T> slope(s.channels, repeat, [=](std::int64_t c) { return squares[c]; });
      const T *from = x + i * size, *m = about, *k = slope, *b = offset;
      T* to = y + i * size;
      map_columns<T>(s.pixels, s.channels, repeat, [=](auto v, std::int64_t row) {
        v.store(to + row, xsimd::fma(v.load(from + row) - v.load(m), v.load(k), v.load(b)));
      });
    }
  });
}

// dx = rstd (weight dy - even - (x - mean) slope), with even the mean of weight dy, and slope that of weight dy times
// the normalised x, times rstd, over the group.
template <class T>
void group_norm_backward(const T* x, const T* dy, const T* weight, const T* mean, const T* rstd, T* dx, T* dweight,
                         T* dbias, const GroupShape& s) {
  const std::int64_t width = s.channels / s.groups, size = s.pixels * s.channels;
  const std::int64_t repeat = column_repeat<T>(s.pixels, s.channels);
  const auto count = static_cast<double>(s.pixels * width);
  // For each image the sums of dy, then of dy times the normalised x, down the columns.
  std::vector<double> sums(static_cast<std::size_t>(s.images * 2 * s.channels));
  parallel_for(s.images, images_grain(s), [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> factors(static_cast<std::size_t>(4 * s.channels));
    double *middles = factors.data(), *scales = middles + s.channels, *evens = scales + s.channels,
           *tilts = evens + s.channels;
    for (std::int64_t i = begin; i < end; ++i) {
      const T *from = x + i * size, *slope = dy + i * size;
      double *sum = sums.data() + i * 2 * s.channels, *dot = sum + s.channels;
      for (std::int64_t g = 0; g < s.groups; ++g)
        std::fill_n(middles + g * width, width, static_cast<double>(mean[i * s.groups + g]));
      const ColumnValues<T> about(s.channels, repeat, [=](std::int64_t c) { return middles[c]; });
      const T* m = about;
      sum_columns<T, 2>(s.pixels, s.channels, repeat, {sum, dot}, [=](auto v, std::int64_t row, std::int64_t column) {
        const Vector<T> d = v.load(slope + row);
        return Vectors<T, 2>{d, d * (v.load(from + row) - v.load(m + column))};
      });
      for (std::int64_t g = 0; g < s.groups; ++g) {
        const auto scale = static_cast<double>(rstd[i * s.groups + g]);
        double even = 0, tilt = 0;
        for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
          const double gain = weight == nullptr ? 1.0 : static_cast<double>(weight[c]);
          dot[c] *= scale;
          even += gain * sum[c] / count;
          tilt += gain * dot[c] / count;
          scales[c] = scale * gain;
        }
        std::fill_n(evens + g * width, width, scale * even);
        std::fill_n(tilts + g * width, width, scale * scale * tilt);
      }
      if (dx == nullptr) continue;
      const ColumnValues<T> factor(s.channels, repeat, [=](std::int64_t c) { return scales[c]; });
      const ColumnValues<T> off(s.channels, repeat, [=](std::int64_t c) { return evens[c]; });
      const ColumnValues<T> lean(s.channels, repeat, [=](std::int64_t c) { return tilts[c]; });
      const T *k = factor, *e = off, *t = lean;
      T* to = dx + i * size;
      map_columns<T>(s.pixels, s.channels, repeat, [=](auto v, std::int64_t row) {
        const Vector<T> d = xsimd::fms(v.load(slope + row), v.load(k), v.load(e));
        v.store(to + row, xsimd::fnma(v.load(from + row) - v.load(m), v.load(t), d));
      });
    }
  });
  for (std::int64_t c = 0; c < s.channels; ++c) {
    double total = 0, dots = 0;
    for (std::int64_t i = 0; i < s.images; ++i) {
      const double* sum = sums.data() + i * 2 * s.channels;
      total += sum[c];
      dots += sum[s.channels + c];
    }
    if (dweight != nullptr) dweight[c] = static_cast<T>(dots);
    if (dbias != nullptr) dbias[c] = static_cast<T>(total);
  }
}

#define WEFT_INSTANTIATE(T)                                                                      \
  template void group_norm(const T*, const T*, const T*, double, T*, T*, T*, const GroupShape&); \
  template void group_norm_backward(const T*, const T*, const T*, const T*, const T*, T*, T*, T*, const GroupShape&);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

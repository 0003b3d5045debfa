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
  parallel_for(s.images, images_grain(s), [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> moments(static_cast<std::size_t>(2 * s.channels));
    double *means = moments.data(), *squares = means + s.channels;
    for (std::int64_t i = begin; i < end; ++i) {
      column_deviations(x + i * size, s.pixels, s.channels, means, squares);
      T *about = mean + i * s.groups, *scale = rstd + i * s.groups;
      for (std::int64_t g = 0; g < s.groups; ++g) {
        const double *m = means + g * width, *q = squares + g * width;
        double middle = 0, total = 0;
        for (std::int64_t c = 0; c < width; ++c) middle += m[c] / static_cast<double>(width);
        for (std::int64_t c = 0; c < width; ++c) total += q[c] + pixels * (m[c] - middle) * (m[c] - middle);
        about[g] = static_cast<T>(middle);
        scale[g] = static_cast<T>(1 / std::sqrt(total / count + eps));
      }
      const ColumnValues<T> m(s.channels, repeat, [=](std::int64_t c) { return about[c / width]; });
      const ColumnValues<T> k(s.channels, repeat, [=](std::int64_t c) {
        return weight == nullptr ? scale[c / width] : scale[c / width] * weight[c];
      });
      const ColumnValues<T> b(s.channels, repeat, [=](std::int64_t c) { return bias == nullptr ? T{0} : bias[c]; });
      map_columns<T>(s.pixels, s.channels, repeat,
                     [from = x + i * size, to = y + i * size, about = static_cast<const T*>(m),
                      slope = static_cast<const T*>(k), shift = static_cast<const T*>(b)](auto v, std::int64_t row) {
                       v.store(to + row, xsimd::fma(v.load(from + row) - v.load(about), v.load(slope), v.load(shift)));
                     });
    }
  });
}

// dx = rstd (weight dy - even - (x - mean) slope), with even and slope the means of weight dy and of weight dy times
// the normalised x, over the group.
template <class T>
void group_norm_backward(const T* x, const T* dy, const T* weight, const T* mean, const T* rstd, T* dx, T* dweight,
                         T* dbias, const GroupShape& s) {
  if (dweight != nullptr) std::fill_n(dweight, s.channels, T{0});
  if (dbias != nullptr) std::fill_n(dbias, s.channels, T{0});
  const std::int64_t width = s.channels / s.groups, size = s.pixels * s.channels;
  const std::int64_t repeat = column_repeat<T>(s.pixels, s.channels);
  const auto count = static_cast<double>(s.pixels * width);
  const auto gain = [=](std::int64_t c) { return weight == nullptr ? 1.0 : static_cast<double>(weight[c]); };
  // For each image the sums of dy, then of dy times the normalised x, down the columns.
  std::vector<double> sums(static_cast<std::size_t>(s.images * 2 * s.channels));
  parallel_for(s.images, images_grain(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T *from = x + i * size, *slope = dy + i * size, *about = mean + i * s.groups, *scale = rstd + i * s.groups;
      double *sum = sums.data() + i * 2 * s.channels, *dot = sum + s.channels;
      const ColumnValues<T> middle(s.channels, repeat, [=](std::int64_t c) { return about[c / width]; });
      const T* m = middle;
      sum_columns<T, 2>(s.pixels, s.channels, repeat, {sum, dot}, [=](auto v, std::int64_t row, std::int64_t column) {
        const Vector<T> d = v.load(slope + row);
        return Vectors<T, 2>{d, d * (v.load(from + row) - v.load(m + column))};
      });
      std::vector<double> even(static_cast<std::size_t>(s.groups)), tilt(even);
      for (std::int64_t c = 0; c < s.channels; ++c) {
        const auto g = static_cast<std::size_t>(c / width);
        dot[c] *= static_cast<double>(scale[g]);
        even[g] += gain(c) * sum[c] / count;
        tilt[g] += gain(c) * dot[c] / count;
      }
      if (dx == nullptr) continue;
      const auto by_group = [=](std::int64_t c) { return static_cast<double>(scale[c / width]); };
      const ColumnValues<T> k(s.channels, repeat, [&](std::int64_t c) { return by_group(c) * gain(c); });
      const ColumnValues<T> e(s.channels, repeat,
                              [&](std::int64_t c) { return by_group(c) * even[static_cast<std::size_t>(c / width)]; });
      const ColumnValues<T> t(s.channels, repeat, [&](std::int64_t c) {
        return by_group(c) * by_group(c) * tilt[static_cast<std::size_t>(c / width)];
      });
      map_columns<T>(s.pixels, s.channels, repeat,
                     [from, slope, m, to = dx + i * size, factor = static_cast<const T*>(k),
                      off = static_cast<const T*>(e), lean = static_cast<const T*>(t)](auto v, std::int64_t row) {
                       const Vector<T> d = xsimd::fms(v.load(slope + row), v.load(factor), v.load(off));
                       v.store(to + row, xsimd::fnma(v.load(from + row) - v.load(m), v.load(lean), d));
                     });
    }
  });
  for (std::int64_t c = 0; c < s.channels; ++c) {
    double total = 0, dots = 0;
    for (std::int64_t i = 0; i < s.images; ++i) {
      total += sums[static_cast<std::size_t>((2 * i) * s.channels + c)];
      dots += sums[static_cast<std::size_t>((2 * i + 1) * s.channels + c)];
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

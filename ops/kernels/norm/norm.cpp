#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/norm/norm.hpp>
#include <weft/ops/kernels/reduce/columns.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace weft::detail {

template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, std::int64_t rows,
                std::int64_t width) {
  if (width == 0) return;
  parallel_for(rows, grain_for(width), [=](std::int64_t begin, std::int64_t end) {
    const auto n = static_cast<double>(width);
    for (std::int64_t r = begin; r < end; ++r) {
      const T* row = x + r * width;
      T* to = y + r * width;
      if (mean != nullptr) mean[r] = static_cast<T>(row_sum<T>(width, [=](auto v) { return v.load(row); }) / n);
      const Vector<T> about(mean == nullptr ? T{0} : mean[r]);
      const auto centred = [=](auto v) { return v.load(row) - about; };
      const double squares = row_dot<T>(width, centred, centred);
      rstd[r] = static_cast<T>(1 / std::sqrt(squares / n + eps));
      const Vector<T> scale(rstd[r]);
      if (weight != nullptr && bias != nullptr) {
        for_vectors<T>(width,
                       [=](auto v) { v.store(to, xsimd::fma(centred(v) * scale, v.load(weight), v.load(bias))); });
      } else {
        for_vectors<T>(width, [=](auto v) {
          Vector<T> out = centred(v) * scale;
          if (weight != nullptr) out = out * v.load(weight);
          if (bias != nullptr) out = out + v.load(bias);
          v.store(to, out);
        });
      }
    }
  });
}

template <class T>
void layer_norm_backward(const T* x, const T* dy, const T* weight, const T* mean, const T* rstd, T* dx, T* dweight,
                         T* dbias, std::int64_t rows, std::int64_t width) {
  if (width == 0) return;
  const auto n = static_cast<double>(width);
  const auto input_gradient = [=](std::int64_t r) {
    const T *row = x + r * width, *drow = dy + r * width;
    T* to = dx + r * width;
    const Vector<T> about(mean == nullptr ? T{0} : mean[r]), scale(rstd[r]);
    const auto centred = [=](auto v) { return v.load(row) - about; };
    const auto weighted = [=](auto v) { return weight == nullptr ? v.load(drow) : v.load(drow) * v.load(weight); };
    const double sum = mean == nullptr ? 0 : row_sum<T>(width, weighted);
    const double dot = row_dot<T>(width, weighted, [=](auto v) { return centred(v) * scale; });
    const Vector<T> even(static_cast<T>(sum / n)), slope(static_cast<T>(dot / n * static_cast<double>(rstd[r])));
    for_vectors<T>(width, [=](auto v) { v.store(to, scale * xsimd::fnma(centred(v), slope, weighted(v) - even)); });
  };
  if (dweight == nullptr && dbias == nullptr) {
    if (dx == nullptr) return;
    parallel_for(rows, grain_for(width), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) input_gradient(r);
    });
    return;
  }
  // Rows go in blocks of fixed size whose sums over rows are added in order: T within a block, double between.
  const std::int64_t block = std::clamp<std::int64_t>(chunk_elements / 4 / width, 8, 128);
  const std::int64_t blocks = (rows + block - 1) / block;
  const std::int64_t parts = std::clamp<std::int64_t>(blocks, 1, 16);
  std::vector<double> sums(static_cast<std::size_t>(parts * 2 * width));
  parallel_for(parts, grain_for(rows * width / parts), [&](std::int64_t begin, std::int64_t end) {
    std::vector<T> block_sums(static_cast<std::size_t>(2 * width));
    T *sum_weight = block_sums.data(), *sum_bias = sum_weight + width;
    for (std::int64_t part = begin; part < end; ++part) {
      double* out = sums.data() + part * 2 * width;
      for (std::int64_t b = blocks * part / parts; b < blocks * (part + 1) / parts; ++b) {
        std::fill(block_sums.begin(), block_sums.end(), T{0});
        for (std::int64_t r = b * block; r < std::min(rows, (b + 1) * block); ++r) {
          const T *row = x + r * width, *drow = dy + r * width;
          const Vector<T> about(mean == nullptr ? T{0} : mean[r]), scale(rstd[r]);
          for_vectors<T>(width, [=](auto v) {
            const Vector<T> d = v.load(drow);
            v.store(sum_weight, xsimd::fma(d, (v.load(row) - about) * scale, v.load(sum_weight)));
            v.store(sum_bias, v.load(sum_bias) + d);
          });
          if (dx != nullptr) input_gradient(r);
        }
        for (std::int64_t c = 0; c < 2 * width; ++c)
          out[c] += static_cast<double>(block_sums[static_cast<std::size_t>(c)]);
      }
    }
  });
  for (std::int64_t c = 0; c < width; ++c) {
    double total_weight = 0, total_bias = 0;
    for (std::int64_t part = 0; part < parts; ++part) {
      total_weight += sums[static_cast<std::size_t>(part * 2 * width + c)];
      total_bias += sums[static_cast<std::size_t>((part * 2 + 1) * width + c)];
    }
    if (dweight != nullptr) dweight[c] = static_cast<T>(total_weight);
    if (dbias != nullptr) dbias[c] = static_cast<T>(total_bias);
  }
}

template <class T>
void column_moments(const T* x, T* mean, T* variance, std::int64_t rows, std::int64_t channels) {
  std::vector<double> moments(static_cast<std::size_t>(2 * channels));
  double *means = moments.data(), *squares = means + channels;
  column_deviations(x, rows, channels, means, squares);
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<T>(means[c]);
    variance[c] = static_cast<T>(squares[c] / static_cast<double>(rows));
  }
}

#define WEFT_INSTANTIATE(T)                                                                                     \
  template void layer_norm(const T*, const T*, const T*, double, T*, T*, T*, std::int64_t, std::int64_t);       \
  template void layer_norm_backward(const T*, const T*, const T*, const T*, const T*, T*, T*, T*, std::int64_t, \
                                    std::int64_t);                                                              \
  template void column_moments(const T*, T*, T*, std::int64_t, std::int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

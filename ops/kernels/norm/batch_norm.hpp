#pragma once
// Batch norm of (rows, channels) data, with what follows it in the same pass: Ioffe, Szegedy 2015 (1502.03167).
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/reduce/columns.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

namespace weft::detail {

/// A batch norm and the statistics that it normalises by, all of `channels` values; weight and bias may be null (1, 0).
template <class T>
struct Normalization {
  std::int64_t rows, channels;
  const T *mean, *variance, *weight, *bias;
  double eps;

  double rstd(std::int64_t c) const { return 1 / std::sqrt(static_cast<double>(variance[c]) + eps); }
  double factor(std::int64_t c) const { return (weight == nullptr ? 1.0 : static_cast<double>(weight[c])) * rstd(c); }
};

/// (x - mean) * rstd * weight + bias of a vector, written once: backward makes again what forward made, bit for bit.
template <class T>
class Normalize {
 public:
  Normalize(const Normalization<T>& n, std::int64_t repeat)
      : about_(n.channels, repeat, [&](std::int64_t c) { return n.mean[c]; }),
        scale_(n.channels, repeat, [&](std::int64_t c) { return n.factor(c); }),
        shift_(n.channels, repeat, [&](std::int64_t c) { return n.bias == nullptr ? T{0} : n.bias[c]; }) {}

  /// On registers; refers to the Normalize.
  auto on(const T* x) const {
    return [x, m = static_cast<const T*>(about_), s = static_cast<const T*>(scale_), b = static_cast<const T*>(shift_)](
               auto v, std::int64_t row, std::int64_t column) {
      return xsimd::fma(v.load(x + row) - v.load(m + column), v.load(s + column), v.load(b + column));
    };
  }

 private:
  ColumnValues<T> about_, scale_, shift_;
};

/// y = finish(vector, row, normalised x): rows of vectors as map_columns has them.
template <class T, class Finish>
void batch_norm(const Normalization<T>& n, const T* x, T* y, Finish finish) {
  const std::int64_t repeat = column_repeat<T>(n.rows, n.channels);
  const Normalize<T> normalize(n, repeat);
  const auto normal = normalize.on(x);
  map_columns<T>(n.rows, n.channels, repeat,
                 [=](auto v, std::int64_t row) { v.store(y + row, finish(v, row, normal(v, row, 0))); });
}

/// Where the gradients go; null: not wanted.
template <class T>
struct BatchNormGradients {
  T *x, *weight, *bias;
};

/// Gradients of n, through mean and variance too where these are x's own (training): the sums over the columns, then
/// dx = d * scale - even - (x - mean) * slope; in evaluation even and slope are 0. `first` and `again` give a vector of
/// the gradient d of what was normalised, (vector, row, column): `first` in the pass that sums, if there is one or
/// `sums` asks for it, `again` in the pass after it. dx may be where d is read from.
template <class T, class First, class Again>
void batch_norm_backward(const Normalization<T>& n, const T* x, bool training, bool sums,
                         const BatchNormGradients<T>& to, First first, Again again) {
  const std::int64_t rows = n.rows, channels = n.channels, repeat = column_repeat<T>(rows, channels);
  const ColumnValues<T> about(channels, repeat, [&](std::int64_t c) { return n.mean[c]; });
  const T* m = about;
  std::vector<double> both(static_cast<std::size_t>(2 * channels));
  double *sum = both.data(), *dot = sum + channels;
  sums |= (training && to.x != nullptr) || to.weight != nullptr || to.bias != nullptr;
  if (sums)
    sum_columns<T, 2>(rows, channels, repeat, {sum, dot}, [=](auto v, std::int64_t row, std::int64_t column) {
      const Vector<T> d = first(v, row, column);
      return Vectors<T, 2>{d, d * (v.load(x + row) - v.load(m + column))};
    });
  for (std::int64_t c = 0; c < channels; ++c) {
    if (to.weight != nullptr) to.weight[c] = static_cast<T>(dot[c] * n.rstd(c));
    if (to.bias != nullptr) to.bias[c] = static_cast<T>(sum[c]);
  }
  if (to.x == nullptr) return;
  const ColumnValues<T> scale(channels, repeat, [&](std::int64_t c) { return n.factor(c); });
  const T* s = scale;
  T* dx = to.x;
  if (!training) {
    const auto pass = [&](auto d) {
      map_columns<T>(rows, channels, repeat,
                     [=](auto v, std::int64_t row) { v.store(dx + row, d(v, row, 0) * v.load(s)); });
    };
    return sums ? pass(again) : pass(first);
  }
  const auto count = static_cast<double>(rows);
  const ColumnValues<T> even(channels, repeat, [&](std::int64_t c) { return n.factor(c) * sum[c] / count; });
  const ColumnValues<T> slope(channels, repeat,
                              [&](std::int64_t c) { return n.factor(c) * n.rstd(c) * n.rstd(c) * dot[c] / count; });
  const T *e = even, *k = slope;
  map_columns<T>(rows, channels, repeat, [=](auto v, std::int64_t row) {
    const Vector<T> d = xsimd::fms(again(v, row, 0), v.load(s), v.load(e));
    v.store(dx + row, xsimd::fnma(v.load(x + row) - v.load(m), v.load(k), d));
  });
}

}  // namespace weft::detail

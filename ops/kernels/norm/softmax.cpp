#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/norm/softmax.hpp>
#include <weft/ops/kernels/simd/functions.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft::detail {

namespace {

// Columns taken together where the axis is not the last: their sums stay in L1.
constexpr std::int64_t strip = 256;

template <class F>
void for_rows(Collapsed shape, F f) {
  parallel_for(shape.outer, grain_for(2 * shape.axis), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) f(o * shape.axis);
  });
}

// Calls f(offset, width) for strips of columns.
template <class F>
void for_strips(Collapsed shape, F f) {
  const std::int64_t strips = (shape.inner + strip - 1) / strip;
  parallel_for(shape.outer * strips, grain_for(2 * shape.axis * std::min(shape.inner, strip)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k) {
                   const std::int64_t first = k % strips * strip;
                   f(k / strips * shape.axis * shape.inner + first, std::min(strip, shape.inner - first));
                 }
               });
}

// top = maximum down each column of a strip.
template <class T>
void strip_max(const T* x, Collapsed shape, std::int64_t width, T* top) {
  std::fill_n(top, width, -std::numeric_limits<T>::infinity());
  for (std::int64_t a = 0; a < shape.axis; ++a)
    for_vectors<T>(width, [&](auto v) { v.store(top, xsimd::max(v.load(x + a * shape.inner), v.load(top))); });
}

// sum = sum of f(vector, row) down each column of a strip, in blocks short enough for T and in double between them.
template <class T, class F>
void strip_sum(Collapsed shape, std::int64_t width, T* sum, F&& f) {
  constexpr std::int64_t block = 256;
  double total[strip] = {};
  for (std::int64_t begin = 0; begin < shape.axis; begin += block) {
    std::fill_n(sum, width, T{0});
    for (std::int64_t a = begin; a < std::min(begin + block, shape.axis); ++a)
      for_vectors<T>(width, [&](auto v) { v.store(sum, v.load(sum) + f(v, a * shape.inner)); });
    for (std::int64_t i = 0; i < width; ++i) total[i] += static_cast<double>(sum[i]);
  }
  for (std::int64_t i = 0; i < width; ++i) sum[i] = static_cast<T>(total[i]);
}

// Calls f(vector, row) for every vector of a strip.
template <class T, class F>
void map_strip(Collapsed shape, std::int64_t width, F&& f) {
  for (std::int64_t a = 0; a < shape.axis; ++a) for_vectors<T>(width, [&](auto v) { f(v, a * shape.inner); });
}

}  // namespace

template <class T>
void softmax(const T* x, T* y, Collapsed shape) {
  if (shape.inner == 1) {
    for_rows(shape, [=, n = shape.axis](std::int64_t at) {
      const T* from = x + at;
      T* to = y + at;
      const Vector<T> top(row_max(from, n));
      const double sum = row_sum<T>(n, [&](auto v) {
        __builtin_prefetch(from + n + v.i);  // the next row: prefetchers stop at pages
        const Vector<T> e = exponential(v.load(from) - top);
        v.store(to, e);
        return e;
      });
      const Vector<T> factor(static_cast<T>(1 / sum));
      for_vectors<T>(n, [&](auto v) { v.store(to, v.load(to) * factor); });
    });
    return;
  }
  for_strips(shape, [=](std::int64_t at, std::int64_t width) {
    alignas(64) T top[strip], sum[strip];
    const T* from = x + at;
    T* to = y + at;
    strip_max(from, shape, width, top);
    strip_sum(shape, width, sum, [&](auto v, std::int64_t row) {
      const Vector<T> e = exponential(v.load(from + row) - v.load(top));
      v.store(to + row, e);
      return e;
    });
    for (std::int64_t i = 0; i < width; ++i) sum[i] = T{1} / sum[i];
    map_strip<T>(shape, width, [&](auto v, std::int64_t row) { v.store(to + row, v.load(to + row) * v.load(sum)); });
  });
}

template <class T>
void log_softmax(const T* x, T* y, Collapsed shape) {
  if (shape.inner == 1) {
    for_rows(shape, [=, n = shape.axis](std::int64_t at) {
      const T* from = x + at;
      const Vector<T> top(row_max(from, n));
      const double sum = row_sum<T>(n, [&](auto v) {
        __builtin_prefetch(from + n + v.i);  // the next row: prefetchers stop at pages
        return exponential(v.load(from) - top);
      });
      const Vector<T> log_sum(static_cast<T>(std::log(sum)));
      for_vectors<T>(n, [&](auto v) { v.store(y + at, v.load(from) - top - log_sum); });
    });
    return;
  }
  for_strips(shape, [=](std::int64_t at, std::int64_t width) {
    alignas(64) T top[strip], sum[strip];
    const T* from = x + at;
    strip_max(from, shape, width, top);
    strip_sum(shape, width, sum,
              [&](auto v, std::int64_t row) { return exponential(v.load(from + row) - v.load(top)); });
    for (std::int64_t i = 0; i < width; ++i) sum[i] = std::log(sum[i]);
    map_strip<T>(shape, width, [&](auto v, std::int64_t row) {
      v.store(y + at + row, v.load(from + row) - v.load(top) - v.load(sum));
    });
  });
}

template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, Collapsed shape) {
  if (shape.inner == 1) {
    for_rows(shape, [=, n = shape.axis](std::int64_t at) {
      const double sum = row_dot<T>(
          n, [&](auto v) { return v.load(y + at); }, [&](auto v) { return v.load(dy + at); });
      const Vector<T> dot(static_cast<T>(sum));
      for_vectors<T>(n, [&](auto v) { v.store(dx + at, v.load(y + at) * (v.load(dy + at) - dot)); });
    });
    return;
  }
  for_strips(shape, [=](std::int64_t at, std::int64_t width) {
    alignas(64) T dot[strip];
    strip_sum(shape, width, dot,
              [&](auto v, std::int64_t row) { return v.load(y + at + row) * v.load(dy + at + row); });
    map_strip<T>(shape, width, [&](auto v, std::int64_t row) {
      v.store(dx + at + row, v.load(y + at + row) * (v.load(dy + at + row) - v.load(dot)));
    });
  });
}

template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, Collapsed shape) {
  if (shape.inner == 1) {
    for_rows(shape, [=, n = shape.axis](std::int64_t at) {
      const Vector<T> sum(static_cast<T>(row_sum<T>(n, [&](auto v) { return v.load(dy + at); })));
      for_vectors<T>(n, [&](auto v) { v.store(dx + at, v.load(dy + at) - exponential(v.load(y + at)) * sum); });
    });
    return;
  }
  for_strips(shape, [=](std::int64_t at, std::int64_t width) {
    alignas(64) T sum[strip];
    strip_sum(shape, width, sum, [&](auto v, std::int64_t row) { return v.load(dy + at + row); });
    map_strip<T>(shape, width, [&](auto v, std::int64_t row) {
      v.store(dx + at + row, v.load(dy + at + row) - exponential(v.load(y + at + row)) * v.load(sum));
    });
  });
}

template <class T>
void cross_entropy(const T* logits, const std::int64_t* labels, T* losses, T* lse, std::int64_t rows,
                   std::int64_t classes, const SmoothedLabels& options) {
  const auto smoothing = static_cast<T>(options.label_smoothing);
  for_rows({rows, classes, 1}, [=](std::int64_t at) {
    const T* row = logits + at;
    const std::int64_t r = at / classes, label = labels[r];
    const T top = row_max(row, classes), shift = std::isfinite(top) ? top : T{0};
    const Vector<T> about(shift);
    // Everything relative to the shift, so that large logits of one size leave no rounding in the loss.
    const double sum = row_sum<T>(classes, [&](auto v) { return exponential(v.load(row) - about); });
    const T log_sum = static_cast<T>(std::log(sum));
    lse[r] = log_sum + shift;
    if (label == options.ignore_index) {
      losses[r] = T{0};
      return;
    }
    T loss = log_sum - (row[label] - shift);
    if (smoothing != T{0}) {
      const double total = row_sum<T>(classes, [&](auto v) { return v.load(row) - about; });
      const T mean = static_cast<T>(total / static_cast<double>(classes));
      loss = (T{1} - smoothing) * loss + smoothing * (log_sum - mean);
    }
    losses[r] = loss;
  });
}

template <class T>
void cross_entropy_backward(const T* logits, const std::int64_t* labels, const T* lse, const T* dloss, T* dx,
                            std::int64_t rows, std::int64_t classes, const SmoothedLabels& options) {
  const auto smoothing = static_cast<T>(options.label_smoothing);
  for_rows({rows, classes, 1}, [=](std::int64_t at) {
    const std::int64_t r = at / classes, label = labels[r];
    if (label == options.ignore_index) {
      std::fill_n(dx + at, classes, T{0});
      return;
    }
    const T scale = dloss[r];
    const Vector<T> factor(scale), log_sum(lse[r]), even(smoothing / static_cast<T>(classes));
    for_vectors<T>(classes,
                   [&](auto v) { v.store(dx + at, factor * (exponential(v.load(logits + at) - log_sum) - even)); });
    dx[at + label] -= scale * (T{1} - smoothing);
  });
}

template void softmax(const float*, float*, Collapsed);
template void softmax(const double*, double*, Collapsed);
template void log_softmax(const float*, float*, Collapsed);
template void log_softmax(const double*, double*, Collapsed);
template void softmax_backward(const float*, const float*, float*, Collapsed);
template void softmax_backward(const double*, const double*, double*, Collapsed);
template void log_softmax_backward(const float*, const float*, float*, Collapsed);
template void log_softmax_backward(const double*, const double*, double*, Collapsed);
template void cross_entropy(const float*, const std::int64_t*, float*, float*, std::int64_t, std::int64_t,
                            const SmoothedLabels&);
template void cross_entropy(const double*, const std::int64_t*, double*, double*, std::int64_t, std::int64_t,
                            const SmoothedLabels&);
template void cross_entropy_backward(const float*, const std::int64_t*, const float*, const float*, float*,
                                     std::int64_t, std::int64_t, const SmoothedLabels&);
template void cross_entropy_backward(const double*, const std::int64_t*, const double*, const double*, double*,
                                     std::int64_t, std::int64_t, const SmoothedLabels&);

}  // namespace weft::detail

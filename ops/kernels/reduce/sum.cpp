// Sums and logsumexp: everything in reduce.hpp that adds.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/reduce/columns.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/kernels/simd/functions.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace weft::detail {

namespace {

constexpr std::int64_t tiny = 64;     // a matrix this small is summed element by element
constexpr std::int64_t few_rows = 8;  // so few are added in T

// The sum of f(value), for a value in T or a vector of them.
template <class T, class F>
void sum_floats(const T* x, T* out, Collapsed shape, F f) {
  const std::int64_t outer = shape.outer, axis = shape.axis, inner = shape.inner;
  if (shape.size() == 0) {
    std::fill_n(out, outer * inner, T{0});
    return;
  }
  if (inner == 1) {
    const std::int64_t chunks = std::max<std::int64_t>((axis + chunk_elements - 1) / chunk_elements, 1);
    const std::int64_t each = std::min(axis, chunk_elements);
    std::vector<double> parts(chunks > 1 ? static_cast<std::size_t>(outer * chunks) : 0);
    parallel_for(outer * chunks, grain_for(each), [=, sums = parts.data()](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const std::int64_t o = chunks == 1 ? k : k / chunks, first = (k - o * chunks) * each;
        const double sum = row_sum<T>(std::min(each, axis - first),
                                      [f, row = x + o * axis + first](auto v) { return f(v.load(row)); });
        if (chunks == 1) {
          out[o] = static_cast<T>(sum);
        } else {
          sums[k] = sum;
        }
      }
    });
    for (std::int64_t o = 0; chunks > 1 && o < outer; ++o)
      out[o] = static_cast<T>(std::accumulate(parts.begin() + o * chunks, parts.begin() + (o + 1) * chunks, 0.0));
    return;
  }
  if (axis <= few_rows && inner >= lanes<T>) {  // a register at a time, without sums on the way
    parallel_for(outer, grain_for(axis * inner), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o)
        for_vectors<T>(inner, [f, axis, inner, from = x + o * axis * inner, to = out + o * inner](auto v) {
          Vector<T> sum = f(v.load(from));
          for (std::int64_t a = 1; a < axis; ++a) sum = sum + f(v.load(from + a * inner));
          v.store(to, sum);
        });
    });
    return;
  }
  const std::int64_t repeat = column_repeat<T>(axis, inner);
  const ColumnChunks cut(axis, inner, repeat);
  if (cut.tiles > 1 && cut.chunks == 1) {  // wide: each strip is summed to its end, without room for all the sums
    parallel_for(outer * cut.tiles, grain_for(axis * column_tile), [=](std::int64_t begin, std::int64_t end) {
      double sums[column_tile];
      for (std::int64_t k = begin; k < end; ++k) {
        const ColumnBlock block = cut.block(k % cut.tiles);
        const std::int64_t o = k / cut.tiles;
        const auto load = [f, from = x + o * axis * inner](auto v, std::int64_t row, std::int64_t) {
          return Vectors<T, 1>{f(v.load(from + row))};
        };
        sum_columns_of_block<T, 1>(block, sums, load);
        for (std::int64_t c = 0; c < block.width; ++c) out[o * inner + block.column + c] = static_cast<T>(sums[c]);
      }
    });
    return;
  }
  parallel_for(outer, grain_for(axis * inner), [=](std::int64_t begin, std::int64_t end) {
    std::vector<double> sums(static_cast<std::size_t>(inner));
    for (std::int64_t o = begin; o < end; ++o) {
      const T* from = x + o * axis * inner;
      if (axis * inner <= tiny) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (std::int64_t a = 0; a < axis; ++a)
          for (std::int64_t i = 0; i < inner; ++i)
            sums[static_cast<std::size_t>(i)] += static_cast<double>(f(from[a * inner + i]));
      } else {
        const auto load = [f, from](auto v, std::int64_t row, std::int64_t) {
          return Vectors<T, 1>{f(v.load(from + row))};
        };
        sum_columns<T, 1>(axis, inner, repeat, {sums.data()}, load);
      }
      for (std::int64_t i = 0; i < inner; ++i) out[o * inner + i] = static_cast<T>(sums[static_cast<std::size_t>(i)]);
    }
  });
}

// Integers wrap, so any order is exact and the compiler's own vectors do. Long rows are cut and the parts added.
template <class T>
void sum_integers(const T* x, std::int64_t* out, Collapsed shape) {
  const std::int64_t outer = shape.outer, axis = shape.axis, inner = shape.inner;
  using Bits = std::uint64_t;  // sums wrap without undefined behaviour
  const std::int64_t step = std::max<std::int64_t>(chunk_elements / std::max<std::int64_t>(inner, 1), 1);
  const std::int64_t chunks = std::max<std::int64_t>((axis + step - 1) / step, 1);
  std::vector<Bits> partial(static_cast<std::size_t>(outer * chunks * inner));
  parallel_for(outer * chunks, grain_for(std::min(step, axis) * inner),
               [=, sums = partial.data()](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k) {
                   const std::int64_t o = k / chunks, first = k % chunks * step;
                   const std::int64_t n = std::min(step, axis - first);
                   const T* from = x + (o * axis + first) * inner;
                   Bits* to = sums + k * inner;
                   if (inner == 1) {
                     Bits sum = 0;
                     for (std::int64_t a = 0; a < n; ++a) sum += static_cast<Bits>(from[a]);
                     *to = sum;
                     continue;
                   }
                   for (std::int64_t a = 0; a < n; ++a) WEFT_INDEPENDENT
                   for (std::int64_t i = 0; i < inner; ++i) to[i] += static_cast<Bits>(from[a * inner + i]);
                 }
               });
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i) {
      Bits sum = 0;
      for (std::int64_t k = 0; k < chunks; ++k) sum += partial[static_cast<std::size_t>((o * chunks + k) * inner + i)];
      out[o * inner + i] = static_cast<std::int64_t>(sum);
    }
}

}  // namespace

template <class T>
void reduce_sum(const T* x, SumOf<T>* out, Collapsed shape) {
  if constexpr (std::is_integral_v<T>) {
    sum_integers(x, out, shape);
  } else {
    sum_floats(x, out, shape, [](auto v) { return v; });
  }
}

template <class T>
void reduce_sum_squares(const T* x, T* out, Collapsed shape) {
  sum_floats(x, out, shape, [](auto v) { return v * v; });
}

template <class T>
void reduce_logsumexp(const T* x, T* out, Collapsed shape) {
  const std::int64_t outer = shape.outer, axis = shape.axis, inner = shape.inner;
  if (inner == 1) {
    parallel_for(outer, grain_for(axis * 4), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) {
        const T* row = x + o * axis;
        const T top = row_max(row, axis), shift = std::isfinite(top) ? top : T{0};
        const Vector<T> about(shift);
        const double sum = row_sum<T>(axis, [&](auto v) { return exponential(v.load(row) - about); });
        out[o] = static_cast<T>(std::log(sum) + static_cast<double>(shift));
      }
    });
    return;
  }
  // Down the columns: a strip narrow enough to stay in cache is read for its maxima, then for its sums.
  constexpr std::int64_t strip = 256;
  const std::int64_t strips = (inner + strip - 1) / strip;
  parallel_for(outer * strips, grain_for(axis * std::min(inner, strip) * 4), [=](std::int64_t begin, std::int64_t end) {
    T top[strip];
    double sums[strip];
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t first = k % strips * strip, width = std::min(strip, inner - first);
      const T* from = x + k / strips * axis * inner + first;
      std::fill_n(top, width, -std::numeric_limits<T>::infinity());
      for (std::int64_t a = 0; a < axis; ++a)
        for_vectors<T>(width, [&](auto v) { v.store(top, xsimd::max(v.load(from + a * inner), v.load(top))); });
      for (std::int64_t i = 0; i < width; ++i) top[i] = std::isfinite(top[i]) ? top[i] : T{0};
      sum_columns_of_block<T, 1>({0, axis, 0, width, inner, 1}, sums, [&](auto v, std::int64_t row, std::int64_t) {
        return Vectors<T, 1>{exponential(v.load(from + row) - v.load(top))};
      });
      for (std::int64_t i = 0; i < width; ++i)
        out[k / strips * inner + first + i] = static_cast<T>(std::log(sums[i]) + static_cast<double>(top[i]));
    }
  });
}

template void reduce_sum_squares(const float*, float*, Collapsed);
template void reduce_sum_squares(const double*, double*, Collapsed);
template void reduce_sum(const float*, float*, Collapsed);
template void reduce_sum(const double*, double*, Collapsed);
template void reduce_sum(const std::int64_t*, std::int64_t*, Collapsed);
template void reduce_sum(const std::uint8_t*, std::int64_t*, Collapsed);
template void reduce_logsumexp(const float*, float*, Collapsed);
template void reduce_logsumexp(const double*, double*, Collapsed);

}  // namespace weft::detail

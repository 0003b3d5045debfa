#pragma once
// Sums down the columns of a row-major (rows, width) matrix, and passes over it with a value for each column.
// A narrow matrix is treated as a wide one: `repeat` rows side by side make one wide row, so that 3 channels fill
// vectors as well as 64 do.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace weft::detail {

inline constexpr std::int64_t column_tile = 2048;        // columns summed at a time
inline constexpr std::int64_t chunk_elements = 1 << 16;  // summed by one thread at a time: fits the L2 cache
inline constexpr std::int64_t narrow = 128;              // fewer columns are repeated
inline constexpr std::int64_t max_wide = 2560;

/// Rows to put side by side: enough for 256 elements and for whole vectors, if there are as many.
template <class T>
std::int64_t column_repeat(std::int64_t rows, std::int64_t width) {
  if (width >= narrow || width <= 0) return 1;
  const std::int64_t whole = lanes<T> / std::gcd(lanes<T>, width);
  const std::int64_t repeat = (256 / width + whole) / whole * whole;
  return std::max<std::int64_t>(std::min(repeat, rows), 1);
}

/// One value a column, repeated to the wide row's length.
template <class T>
class ColumnValues {
 public:
  template <class F>
  ColumnValues(std::int64_t width, std::int64_t repeat, F&& value) : values_(static_cast<std::size_t>(width * repeat)) {
    for (std::int64_t c = 0; c < width; ++c) values_[static_cast<std::size_t>(c)] = static_cast<T>(value(c));
    for (std::int64_t r = 1; r < repeat; ++r) std::copy_n(values_.begin(), width, values_.begin() + r * width);
  }
  operator const T*() const { return values_.data(); }  // NOLINT(google-explicit-constructor)

 private:
  std::vector<T> values_;
};

template <class T, int K>
using Vectors = std::array<Vector<T>, K>;

template <class T, std::size_t K>
inline std::array<Vector<T>, K> operator+(const std::array<Vector<T>, K>& a, const std::array<Vector<T>, K>& b) {
  std::array<Vector<T>, K> sum;
  for (std::size_t k = 0; k < K; ++k) sum[k] = a[k] + b[k];
  return sum;
}

/// Where a block of a matrix lies: rows [begin, end), columns [column, column + width) of rows `stride` apart.
struct ColumnBlock {
  std::int64_t begin, end, column, width, stride, repeat;
};

/// out[k * width + c] = sum over the block's rows of f(vector, row, column)[k]: f loads matrices at `row` and column
/// values at `column`. Sums are T over at most 128 wide rows, added pairwise by eight, and double beyond.
template <class T, int K, class F>
void sum_columns_of_block(const ColumnBlock& block, double* out, F&& f) {
  alignas(64) T acc[K][max_wide];
  const std::int64_t width = block.width;
  std::fill_n(out, K * width, 0.0);
  for (std::int64_t r = block.begin; r < block.end;) {
    std::int64_t wide = width * block.repeat;
    std::int64_t groups = std::min<std::int64_t>(128, (block.end - r) / block.repeat);
    std::int64_t next = r + groups * block.repeat;
    if (groups == 0) {  // the last rows, too few to fill a wide row
      groups = 1;
      wide = (block.end - r) * width;
      next = block.end;
    }
    for (auto& a : acc) std::fill_n(a, wide, T{0});
    const std::int64_t first = r * block.stride + block.column, step = block.stride * block.repeat;
    auto add = [&](auto v, const Vectors<T, K>& sum) {
      for (int k = 0; k < K; ++k) v.store(acc[k], v.load(acc[k]) + sum[static_cast<std::size_t>(k)]);
    };
    std::int64_t g = 0;
    for (; g + 8 <= groups; g += 8) {
      const std::int64_t at = first + g * step;
      for_vectors<T>(wide, [&](auto v) {
        const auto two = [&](std::int64_t u) {
          return f(v, at + u * step, block.column) + f(v, at + (u + 1) * step, block.column);
        };
        add(v, (two(0) + two(2)) + (two(4) + two(6)));
      });
    }
    for (; g < groups; ++g) for_vectors<T>(wide, [&](auto v) { add(v, f(v, first + g * step, block.column)); });
    for (int k = 0; k < K; ++k)
      for (std::int64_t at = 0; at < wide; at += width) WEFT_INDEPENDENT
    for (std::int64_t c = 0; c < width; ++c) out[k * width + c] += static_cast<double>(acc[k][at + c]);
    r = next;
  }
}

/// How a matrix is cut into blocks; it depends on the sizes only, so sums do not change with the thread count.
struct ColumnChunks {
  std::int64_t rows, width, repeat, tiles, chunks, rows_each;

  ColumnChunks(std::int64_t n_rows, std::int64_t n_columns, std::int64_t n_repeat)
      : rows(n_rows), width(n_columns), repeat(n_repeat), tiles((n_columns + column_tile - 1) / column_tile) {
    const std::int64_t wanted = std::max<std::int64_t>(chunk_elements / std::min(width, column_tile), 1);
    rows_each = tiles >= 8 ? rows : (wanted + repeat - 1) / repeat * repeat;
    chunks = (rows + rows_each - 1) / rows_each;
  }
  std::int64_t count() const { return tiles * chunks; }
  ColumnBlock block(std::int64_t i) const {
    const std::int64_t column = i / chunks * column_tile, begin = i % chunks * rows_each;
    return {begin, std::min(begin + rows_each, rows), column, std::min(column_tile, width - column), width, repeat};
  }
};

/// out[k][c] = sum over all rows of f(vector, row, column)[k]. Blocks are summed in parallel and joined in order.
template <class T, int K, class F>
void sum_columns(std::int64_t rows, std::int64_t width, std::int64_t repeat, const std::array<double*, K>& out, F f) {
  for (double* o : out) std::fill_n(o, width, 0.0);
  if (rows == 0 || width == 0) return;
  const ColumnChunks cut(rows, width, repeat);
  const std::int64_t slot = K * std::min(width, column_tile);
  std::vector<double> partial(static_cast<std::size_t>(cut.count() * slot));
  parallel_for(cut.count(), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sum_columns_of_block<T, K>(cut.block(i), partial.data() + i * slot, f);
  });
  for (std::int64_t i = 0; i < cut.count(); ++i) {
    const ColumnBlock block = cut.block(i);
    for (int k = 0; k < K; ++k) {
      const double* from = partial.data() + i * slot + k * block.width;
      double* to = out[static_cast<std::size_t>(k)] + block.column;
      for (std::int64_t c = 0; c < block.width; ++c) to[c] += from[c];
    }
  }
}

/// Calls f(vector, row) for every vector of the matrix, wide row by wide row.
template <class T, class F>
void map_columns(std::int64_t rows, std::int64_t width, std::int64_t repeat, F f) {
  const std::int64_t wide = width * repeat, groups = rows / repeat;
  parallel_for(groups, grain_for(wide), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) for_vectors<T>(wide, [&](auto v) { f(v, g * wide); });
  });
  for_vectors<T>(rows * width - groups * wide, [&](auto v) { f(v, groups * wide); });
}

/// Means (may be null) and sums of squared deviations of the columns.
/// Each block takes deviations d about the mean of its first eighth, m, and corrects: sum (x - mean)^2 =
/// sum d^2 - (sum d)^2 / n. As (m - mean)^2 is at most 8 variances, no more than one digit can cancel. Blocks are
/// joined by Chan, Golub, LeVeque 1983.
template <class T>
void column_deviations(const T* x, std::int64_t rows, std::int64_t width, double* mean, double* squares) {
  std::fill_n(mean, width, 0.0);
  std::fill_n(squares, width, 0.0);
  if (rows == 0 || width == 0) return;
  const std::int64_t repeat = column_repeat<T>(rows, width);
  const ColumnChunks cut(rows, width, repeat);
  const std::int64_t slot = 3 * std::min(width, column_tile);  // m, then sum d, sum d^2
  std::vector<double> partial(static_cast<std::size_t>(cut.count() * slot));
  parallel_for(cut.count(), 2, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) T about[max_wide];
    for (std::int64_t i = begin; i < end; ++i) {
      const ColumnBlock block = cut.block(i);
      double* m = partial.data() + i * slot;
      ColumnBlock sample = block;
      sample.end = std::min(block.end, block.begin + std::max((block.end - block.begin + 7) / 8, repeat));
      auto value = [x](auto v, std::int64_t row, std::int64_t) { return Vectors<T, 1>{v.load(x + row)}; };
      sum_columns_of_block<T, 1>(sample, m, value);
      for (std::int64_t c = 0; c < block.width; ++c) {
        about[c] = static_cast<T>(m[c] / static_cast<double>(sample.end - sample.begin));
        m[c] = static_cast<double>(about[c]);
      }
      for (std::int64_t r = 1; r < repeat; ++r) std::copy_n(about, block.width, about + r * block.width);
      auto deviation = [x, at = &about[0]](auto v, std::int64_t row, std::int64_t) {
        const Vector<T> d = v.load(x + row) - v.load(at);
        return Vectors<T, 2>{d, d * d};
      };
      sum_columns_of_block<T, 2>(block, m + block.width, deviation);
    }
  });
  for (std::int64_t i = 0; i < cut.count(); ++i) {
    const ColumnBlock block = cut.block(i);
    const double* m = partial.data() + i * slot;
    const auto n = static_cast<double>(block.end - block.begin), before = static_cast<double>(block.begin);
    for (std::int64_t c = 0; c < block.width; ++c) {
      const double sum = m[block.width + c], sum_squares = m[2 * block.width + c];
      const double delta = m[c] + sum / n - mean[block.column + c];
      squares[block.column + c] +=
          std::max(sum_squares - sum * sum / n, 0.0) + delta * delta * before * n / (before + n);
      mean[block.column + c] += delta * n / (before + n);
    }
  }
}

}  // namespace weft::detail

#pragma once
// row_tile.hpp's kernels; row_tile.cpp and row_tile_double.cpp instantiate them.
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

/// Adds one run to the rows [First, Rows - SkipLast) of a tile.
template <int First, int SkipLast, class T, int Rows, int V>
[[gnu::always_inline]] inline void add_run(const T* x, const RowTile<T>& t, const T* b, const FirstLanes<T>& last,
                                           TileSums<T, Rows, V>& sums) {
  RowPointers<T, Rows> pointers(x, t.x_step);
  const std::int64_t b_step = t.b_step;
  for (std::int64_t i = t.length; i > 0; --i) {
    Vector<T> column[V];
    load_row(b, last, column);
    b += b_step;
#pragma GCC unroll 16
    for (int r = First; r < Rows - SkipLast; ++r) {
      const Vector<T> scalar = pointers.broadcast(r);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sums.at[r][v] = xsimd::fma(scalar, column[v], sums.at[r][v]);
    }
    pointers.advance();
  }
}

// Of a run from here on fetching the result's memory ahead costs nothing.
inline constexpr std::int64_t long_run = 128;

template <class T, int Rows, int V>
struct RowTileKernel {
  static void run(const RowTile<T>& t) {
    const FirstLanes<T> last(t.last_lanes);
    for (std::int64_t repeat = 0; repeat < t.repeats; ++repeat) {
      TileSums<T, Rows, V> sums;
      if (t.length >= long_run) sums.prefetch(t.c + repeat * t.c_repeat, t.c_step);
      if (t.start != nullptr && !t.adds)
        sums.load(t.start, 0, last);
      else
        sums.clear();
      const T* b = t.b + repeat * t.b_repeat;
      for (std::int64_t o = 0; o < t.outer; ++o) {
        const T* x = t.x + repeat * t.x_repeat + o * t.outer_step;
        for (std::int64_t i = 0; i < t.inner; ++i, x += t.inner_step, b += t.length * t.b_step) {
          if (i < t.without_first) {
            add_run<1, 0>(x, t, b, last, sums);
          } else if (i >= t.with_last) {
            add_run<0, 1>(x, t, b, last, sums);
          } else {
            add_run<0, 0>(x, t, b, last, sums);
          }
        }
      }
      if (t.adds)
        sums.add_to(t.c + repeat * t.c_repeat, t.c_step, last);
      else
        sums.store(t.c + repeat * t.c_repeat, t.c_step, last);
    }
  }
};

/// Adds three neighbouring runs: row r of run i reads what row r + 1 of run i - 1 reads. First and SkipLast say whether
/// the very first and the very last of those Rows + 2 inputs are missing.
template <int First, int SkipLast, class T, int Rows>
[[gnu::always_inline]] inline void add_runs3(const T* x, const RowTile<T>& t, const T* b, TileSums<T, Rows, 1>& sums) {
  RowPointers<T, Rows + 2> pointers(x, t.x_step);
  const std::int64_t run = t.length * lanes<T>;
  for (std::int64_t i = t.length; i > 0; --i) {
    Vector<T> column[3];
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) column[k] = Vector<T>::load_unaligned(b + k * run);
    b += lanes<T>;
#pragma GCC unroll 18
    for (int q = First; q < Rows + 2 - SkipLast; ++q) {
      const Vector<T> scalar = pointers.broadcast(q);
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) {
        if (q >= k && q - k < Rows) sums.at[q - k][0] = xsimd::fma(scalar, column[k], sums.at[q - k][0]);
      }
    }
    pointers.advance();
  }
}

template <class T, int Rows, int V>
struct RowTile3Kernel {
  static void run(const RowTile<T>& t) {
    static_assert(V == 1);
    const FirstLanes<T> last(t.last_lanes);
    TileSums<T, Rows, 1> sums;
    sums.clear();
    const T* b = t.b;
    const bool first = t.without_first > 0;
    const bool end = t.with_last < 3;
    for (std::int64_t o = 0; o < t.outer; ++o, b += 3 * t.length * lanes<T>) {
      const T* x = t.x + o * t.outer_step;
      if (first && end) {
        add_runs3<1, 1>(x, t, b, sums);
      } else if (first) {
        add_runs3<1, 0>(x, t, b, sums);
      } else if (end) {
        add_runs3<0, 1>(x, t, b, sums);
      } else {
        add_runs3<0, 0>(x, t, b, sums);
      }
    }
    sums.store(t.c, t.c_step, last);
  }
};

template <class T>
void run_row_tile(std::int64_t rows, std::int64_t v, const RowTile<T>& tile) {
  static constexpr TileTable<T, RowTileKernel, max_vectors, void (*)(const RowTile<T>&)> table;
  table(rows, v)(tile);
}

template <class T>
void run_row_tile3(std::int64_t rows, const RowTile<T>& tile) {
  static constexpr TileTable<T, RowTile3Kernel, 1, void (*)(const RowTile<T>&)> table;
  table(rows, 1)(tile);
}

}  // namespace weft::detail

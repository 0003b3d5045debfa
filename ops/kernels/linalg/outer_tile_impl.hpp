#pragma once
// outer_tile.hpp's kernels; outer_tile.cpp and outer_tile_double.cpp instantiate them.
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

template <class T, int Rows, int V>
struct OuterTileKernel {
  static void run(const OuterTile<T>& t) {
    const FirstLanes<T> last(t.last_lanes);
    TileSums<T, Rows, V> sums;
    sums.prefetch(t.c, t.c_step);
    sums.clear();
    const std::int64_t a_step = t.a_step;
    const std::int64_t b_step = t.b_step;
    for (std::int64_t image = 0; image < t.images; ++image) {
      for (std::int64_t row = 0; row < t.rows; ++row) {
        const T* a = t.a + image * t.a_image + row * t.a_row;
        const T* b = t.b + image * t.b_image + row * t.b_row;
        for (std::int64_t point = t.columns; point > 0; --point, a += a_step, b += b_step) {
          Vector<T> values[V];
          load_row(b, last, values);
#pragma GCC unroll 16
          for (int r = 0; r < Rows; ++r) {
            const Vector<T> scalar(a[r]);
#pragma GCC unroll 4
            for (int v = 0; v < V; ++v) sums.at[r][v] = xsimd::fma(scalar, values[v], sums.at[r][v]);
          }
        }
      }
    }
    if (t.adds)
      sums.add_to(t.c, t.c_step, last);
    else
      sums.store(t.c, t.c_step, last);
  }
};

template <class T>
void run_outer_tile(std::int64_t rows, std::int64_t v, const OuterTile<T>& tile) {
  static constexpr TileTable<T, OuterTileKernel, max_vectors, void (*)(const OuterTile<T>&)> table;
  table(rows, v)(tile);
}

}  // namespace weft::detail

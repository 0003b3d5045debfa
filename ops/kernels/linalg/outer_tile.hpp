#pragma once
// c = sum over points of a[point] (a column) times b[point] (a row): the tile of a weight gradient, and of a
// product a' * b.
#include <cstdint>

namespace weft::detail {

/// The points form a grid of images x rows x columns, a and b each with strides of its own.
template <class T>
struct OuterTile {
  std::int64_t images = 0, rows = 0, columns = 0;
  const T* a = nullptr;
  std::int64_t a_image = 0, a_row = 0, a_step = 0;
  const T* b = nullptr;
  std::int64_t b_image = 0, b_row = 0, b_step = 0;
  T* c = nullptr;
  std::int64_t c_step = 0;
  std::int64_t last_lanes = 0;  ///< of the last vector of b and c
  bool adds = false;            ///< to what c holds
};

/// Computes a tile of rows (at most max_rows(v)) by v vectors (at most max_vectors); no points make 0.
template <class T>
void run_outer_tile(std::int64_t rows, std::int64_t v, const OuterTile<T>& tile);

}  // namespace weft::detail

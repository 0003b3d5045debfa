#pragma once
// c = beta * c + sum over points of a[point] (a column) times b[point] (a row): the tile of a weight gradient, and of a
// product a' * b.
#include <cstdint>

namespace weft::detail {

/// The points form a grid of images x rows x columns, a and b each with strides of its own.
template <class T>
struct OuterTile {
  std::int64_t images, rows, columns;
  const T* a;
  std::int64_t a_image, a_row, a_step;
  const T* b;
  std::int64_t b_image, b_row, b_step;
  T* c;
  std::int64_t c_step;
  std::int64_t last_lanes;  ///< of the last vector of b and c
  T beta = T(0);
};

/// Computes a tile of rows (at most max_rows(v)) by v vectors (at most max_vectors); no points make beta * c.
template <class T>
void run_outer_tile(std::int64_t rows, std::int64_t v, const OuterTile<T>& tile);

}  // namespace weft::detail

#include <weft/ops/kernels/linalg/packed.hpp>

#include <algorithm>

#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

template <class T>
std::int64_t vectors_for(std::int64_t n) {
  return (n + lanes<T> - 1) / lanes<T>;
}

}  // namespace

template <class T>
PackedMatrix<T>::PackedMatrix(bool transposed, std::int64_t k, std::int64_t n, const T* b)
    : k_(k), n_(n), packed_(k * vectors_for<T>(n) * lanes<T>) {
  for (std::int64_t vector = 0; vector < vectors_for<T>(n); vector += columns_.back().vectors)
    columns_.push_back({vector * lanes<T>, tile_vectors(vectors_for<T>(n) - vector)});
  const auto count = static_cast<std::int64_t>(columns_.size());
  parallel_for(count, grain_for(2 * k * lanes<T>), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Columns& at = columns_[static_cast<std::size_t>(i)];
      const std::int64_t wide = at.vectors * lanes<T>, width = std::min(wide, n - at.first);
      T* const to = packed_.data() + k * at.first;
      for (std::int64_t row = 0; row < k; ++row)
        for (std::int64_t column = 0; column < width; ++column)
          to[row * wide + column] = transposed ? b[(at.first + column) * k + row] : b[row * n + at.first + column];
    }
  });
}

template <class T>
void PackedMatrix<T>::multiply(std::int64_t m, const T* a, T* c) const {
  const auto count = static_cast<std::int64_t>(columns_.size());
  // A multiply-add takes some thirtieth of what an element of a pass does.
  parallel_for(count, grain_for(m * k_ * lanes<T> / 16), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Columns& at = columns_[static_cast<std::size_t>(i)];
      RowTile<T> tile{.x_step = k_,
                      .outer = 1,
                      .inner = 1,
                      .length = k_,
                      .b = packed_.data() + k_ * at.first,
                      .b_step = at.vectors * lanes<T>,
                      .c_step = n_,
                      .last_lanes = std::min(lanes<T>, n_ - at.first - (at.vectors - 1) * lanes<T>)};
      const std::int64_t most = max_rows(static_cast<int>(at.vectors));
      for (std::int64_t row = 0; row < m;) {
        const std::int64_t rows = even_part(m, most, row);
        tile.x = a + row * k_;
        tile.c = c + row * n_ + at.first;
        run_row_tile(rows, at.vectors, tile);
        row += rows;
      }
    }
  });
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace weft::detail

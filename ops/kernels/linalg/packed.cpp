#include <weft/ops/kernels/linalg/packed.hpp>

#include <algorithm>

#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/copy/copy.hpp>
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

namespace weft::detail {

namespace {

// Tiles of a band of rows, which use a part of a column one after another.
constexpr std::int64_t tiles_in_band = 16;

template <class T>
std::int64_t vectors_for(std::int64_t n) {
  return (n + lanes<T> - 1) / lanes<T>;
}

}  // namespace

template <class T>
PackedMatrix<T>::PackedMatrix(bool transposed, std::int64_t k, std::int64_t n, const T* b, std::int64_t ldb)
    : k_(k), n_(n), parts_((k + most_depth - 1) / most_depth), packed_(k * vectors_for<T>(n) * lanes<T>) {
  for (std::int64_t vector = 0; vector < vectors_for<T>(n); vector += columns_.back().vectors)
    columns_.push_back({vector * lanes<T>, tile_vectors(vectors_for<T>(n) - vector)});
  if (!transposed) {  // along the rows of b, which lie apart: down a column of tiles each line of them is a miss
    parallel_for(k, grain_for(2 * n), [&](std::int64_t row, std::int64_t end) {
      for (; row < end; ++row)
        for (const Columns& at : columns_) {
          const std::int64_t wide = at.vectors * lanes<T>;
          T* const to = packed_.data() + k * at.first + row * wide;
          for_vectors<T>(std::min(wide, n - at.first), [&](auto v) { v.store(to, v.load(b + row * ldb + at.first)); });
        }
    });
    return;
  }
  const auto count = static_cast<std::int64_t>(columns_.size());
  parallel_for(count, grain_for(2 * k * lanes<T>), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Columns& at = columns_[static_cast<std::size_t>(i)];
      const std::int64_t wide = at.vectors * lanes<T>;
      const std::int64_t shape[] = {k, std::min(wide, n - at.first)}, from[] = {1, ldb}, into[] = {wide, 1};
      copy_strided(b + at.first * ldb, from, packed_.data() + k * at.first, into, shape, 2, sizeof(T));
    }
  });
}

template <class T>
template <class F>
void PackedMatrix<T>::for_tiles(std::int64_t m, bool adds, const F& tile) const {
  const auto columns = static_cast<std::int64_t>(columns_.size());
  const std::int64_t bands = (m + max_rows(2) * tiles_in_band - 1) / (max_rows(2) * tiles_in_band);
  // A multiply-add takes some thirtieth of what an element of a pass does.
  const std::int64_t grain = grain_for(m * k_ * n_ / std::max<std::int64_t>(bands * columns, 1) / 16);
  parallel_for(bands * columns, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Columns& at = columns_[static_cast<std::size_t>(i % columns)];
      const std::int64_t first = m * (i / columns) / bands, count = m * (i / columns + 1) / bands - first;
      const std::int64_t wide = at.vectors * lanes<T>, most = max_rows(static_cast<int>(at.vectors));
      for (std::int64_t part = 0; part < parts_; ++part) {
        const Place place{.b = packed_.data() + k_ * at.first + row(part) * wide,
                          .b_step = wide,
                          .length = row(part + 1) - row(part),
                          .last_lanes = std::min(lanes<T>, n_ - at.first - (at.vectors - 1) * lanes<T>),
                          .adds = adds || part > 0};
        for (std::int64_t r = 0; r < count;) {
          const std::int64_t rows = even_part(count, most, r);
          tile(place, row(part), first + r, rows, at.first, at.vectors);
          r += rows;
        }
      }
    }
  });
}

template <class T>
void PackedMatrix<T>::multiply(std::int64_t m, const T* a, std::int64_t lda, bool adds, T* c, std::int64_t ldc,
                               const T* start) const {
  for_tiles(m, adds,
            [=](const Place& place, std::int64_t k, std::int64_t r, std::int64_t rows, std::int64_t column,
                std::int64_t vectors) {
              run_row_tile(rows, vectors,
                           RowTile<T>{.x = a + r * lda + k,
                                      .x_step = lda,
                                      .outer = 1,
                                      .inner = 1,
                                      .length = place.length,
                                      .b = place.b,
                                      .b_step = place.b_step,
                                      .c = c + r * ldc + column,
                                      .c_step = ldc,
                                      .last_lanes = place.last_lanes,
                                      .adds = place.adds,
                                      .start = start == nullptr ? nullptr : start + column});
            });
}

template <class T>
void PackedMatrix<T>::multiply_transposed(std::int64_t m, const T* a, std::int64_t lda, bool adds, T* c,
                                          std::int64_t ldc) const {
  for_tiles(m, adds,
            [=](const Place& place, std::int64_t k, std::int64_t r, std::int64_t rows, std::int64_t column,
                std::int64_t vectors) {
              run_outer_tile(rows, vectors,
                             OuterTile<T>{.images = 1,
                                          .rows = 1,
                                          .columns = place.length,
                                          .a = a + k * lda + r,
                                          .a_step = lda,
                                          .b = place.b,
                                          .b_step = place.b_step,
                                          .c = c + r * ldc + column,
                                          .c_step = ldc,
                                          .last_lanes = place.last_lanes,
                                          .adds = place.adds});
            });
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace weft::detail

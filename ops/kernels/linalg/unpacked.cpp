#include <weft/ops/kernels/linalg/unpacked.hpp>

#include <algorithm>

#include <weft/ops/kernels/copy/copy.hpp>
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/linalg/packed.hpp>
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

// What of b every tile's rows read again has to stay in the second-level cache.
constexpr std::int64_t most_bytes = 512 << 10;

// Of fewer rows than that b is not turned for: of f64 that takes four times as long.
template <class T>
constexpr std::int64_t rows_worth_turning = sizeof(T) == 4 ? 8 : 48;

// A part of the sum along k, neither matrix b's nor, where it says so, matrix a's to be transposed.
template <class T>
void multiply_part(bool trans_a, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
                   const T* b, std::int64_t ldb, bool adds, T* c, std::int64_t ldc, const T* start) {
  const std::int64_t vectors = (n + lanes<T> - 1) / lanes<T>;
  for (std::int64_t vector = 0, wide = 0; vector < vectors; vector += wide) {
    wide = tile_vectors(vectors - vector);
    const std::int64_t column = vector * lanes<T>, most = max_rows(static_cast<int>(wide));
    const std::int64_t last_lanes = std::min(lanes<T>, n - column - (wide - 1) * lanes<T>);
    for (std::int64_t r = 0, rows = 0; r < m; r += rows) {
      rows = even_part(m, most, r);
      T* const to = c + r * ldc + column;
      if (trans_a)
        run_outer_tile(rows, wide,
                       OuterTile<T>{.images = 1,
                                    .rows = 1,
                                    .columns = k,
                                    .a = a + r,
                                    .a_step = lda,
                                    .b = b + column,
                                    .b_step = ldb,
                                    .c = to,
                                    .c_step = ldc,
                                    .last_lanes = last_lanes,
                                    .adds = adds});
      else
        run_row_tile(rows, wide,
                     RowTile<T>{.x = a + r * lda,
                                .x_step = lda,
                                .outer = 1,
                                .inner = 1,
                                .length = k,
                                .b = b + column,
                                .b_step = ldb,
                                .c = to,
                                .c_step = ldc,
                                .last_lanes = last_lanes,
                                .adds = adds,
                                .start = start == nullptr ? nullptr : start + column});
    }
  }
}

}  // namespace

template <class T>
bool is_unpacked(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k) {
  return k > 0 && n * k * static_cast<std::int64_t>(sizeof(T)) <= most_bytes &&
         (!trans_b || m >= rows_worth_turning<T>);
}

template <class T>
void multiply_unpacked(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                       std::int64_t lda, const T* b, std::int64_t ldb, bool adds, T* c, std::int64_t ldc,
                       const T* start) {
  constexpr std::int64_t most_depth = PackedMatrix<T>::most_depth;  // as there, also for the sums' digits
  const std::int64_t parts = (k + most_depth - 1) / most_depth;
  const std::int64_t wide = (n + lanes<T> - 1) / lanes<T> * lanes<T>;
  Scratch<T> turned(trans_b ? (k + parts - 1) / parts * wide : 0);
  for (std::int64_t part = 0; part < parts; ++part, adds = true) {
    const std::int64_t begin = k * part / parts, depth = k * (part + 1) / parts - begin;
    const T* of_b = b + begin * ldb;
    if (trans_b) {
      const std::int64_t shape[] = {depth, n}, from[] = {1, ldb}, into[] = {wide, 1};
      copy_strided(b + begin, from, turned.data(), into, shape, 2, sizeof(T));
      of_b = turned.data();
    }
    multiply_part(trans_a, m, n, depth, a + begin * (trans_a ? lda : 1), lda, of_b, trans_b ? wide : ldb, adds, c, ldc,
                  start);
  }
}

template bool is_unpacked<float>(bool, std::int64_t, std::int64_t, std::int64_t);
template bool is_unpacked<double>(bool, std::int64_t, std::int64_t, std::int64_t);
template void multiply_unpacked(bool, bool, std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t,
                                const float*, std::int64_t, bool, float*, std::int64_t, const float*);
template void multiply_unpacked(bool, bool, std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t,
                                const double*, std::int64_t, bool, double*, std::int64_t, const double*);

}  // namespace weft::detail

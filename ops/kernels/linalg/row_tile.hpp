#pragma once
// c[row] = sum over runs of x[row][run] * b[run]: the tile of a convolution, and of a product a * b.
#include <cstdint>

namespace weft::detail {

/// The terms of one result are `outer` x `inner` runs of `length` consecutive numbers. b's rows follow one another
/// through all runs.
template <class T>
struct RowTile {
  const T* x = nullptr;
  std::int64_t x_step = 0;  ///< from one row's numbers to the next row's
  std::int64_t outer = 0, outer_step = 0;
  std::int64_t inner = 0, inner_step = 0;
  std::int64_t length = 0;
  const T* b = nullptr;
  std::int64_t b_step = 0;
  T* c = nullptr;
  std::int64_t c_step = 0;
  std::int64_t last_lanes = 0;         ///< of the last vector of b and c
  bool adds = false;                   ///< to what c holds
  const T* start = nullptr;            ///< a row, as which every row of sums starts; null: of zeros
  std::int64_t without_first = 0;      ///< the first runs of `inner`, which skip the tile's first row
  std::int64_t with_last = INT64_MAX;  ///< the runs of `inner` from here on skip the tile's last row
  /// As many tiles, each so far from the one before: of small ones a call each would show.
  std::int64_t repeats = 1, x_repeat = 0, b_repeat = 0, c_repeat = 0;
};

/// Computes tiles of rows (at most max_rows(v)) by v vectors (at most max_vectors).
template <class T>
void run_row_tile(std::int64_t rows, std::int64_t v, const RowTile<T>& tile);

/// The same of one tile, one vector wide, for inner == 3 and inner_step == x_step: what is loaded for one row and run
/// serves its neighbours too. b is packed, so b_step is the vector's length.
template <class T>
void run_row_tile3(std::int64_t rows, const RowTile<T>& tile);

}  // namespace weft::detail

#pragma once
// A matrix that others are multiplied with.
#include <weft/ops/kernels/loops/scratch.hpp>

#include <cstdint>
#include <vector>

namespace weft::detail {

/// The right-hand side of products, copied once into the order in which their tiles read it: columns of tiles, each cut
/// along k so that a part stays in the first-level cache. T is float or double.
template <class T>
class PackedMatrix {
 public:
  /// Rows of b that are multiplied with at a time: two vectors wide they fill the first-level cache.
  static constexpr std::int64_t most_depth = 384;

  /// b is k x n, or n x k if it is to be transposed, with rows ldb apart.
  PackedMatrix(bool transposed, std::int64_t k, std::int64_t n, const T* b, std::int64_t ldb);

  /// c = a b, or, if it adds, c += a b; a is m x k, the leading dimensions those of the rows. The sums are made in an
  /// order that k alone decides: with the same bits on any number of threads, and of any rows.
  /// `start`, unless null, is a row that is added to each.
  void multiply(std::int64_t m, const T* a, std::int64_t lda, bool adds, T* c, std::int64_t ldc,
                const T* start = nullptr) const;
  /// The same of a transposed, which is k x m.
  void multiply_transposed(std::int64_t m, const T* a, std::int64_t lda, bool adds, T* c, std::int64_t ldc) const;

 private:
  struct Columns {
    std::int64_t first, vectors;
  };
  // A tile's part of b, and of c but for its rows.
  struct Place {
    const T* b;
    std::int64_t b_step, length, last_lanes;
    bool adds;
  };
  // Calls tile(place, first row of the tile, its rows, first column, vectors) for all tiles and all parts of k.
  template <class F>
  void for_tiles(std::int64_t m, bool adds, const F& tile) const;
  // The rows of b in part `i` of `parts_`.
  std::int64_t row(std::int64_t i) const { return k_ * i / parts_; }

  std::int64_t k_, n_, parts_;
  std::vector<Columns> columns_;
  Scratch<T> packed_;
};

}  // namespace weft::detail

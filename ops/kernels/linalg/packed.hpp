#pragma once
// A matrix that many matrices are multiplied with, one after another.
#include <weft/ops/kernels/loops/scratch.hpp>

#include <cstdint>
#include <vector>

namespace weft::detail {

/// The right-hand side of products, copied once into the order in which their tiles read it. OpenBLAS does that again
/// in each call, which for few rows takes a third as long as the product. T is float or double.
template <class T>
class PackedMatrix {
 public:
  /// b is k x n, or n x k if it is to be transposed, row-major.
  PackedMatrix(bool transposed, std::int64_t k, std::int64_t n, const T* b);

  /// c = a b, row-major, a m x k; with the same bits on any number of threads.
  void multiply(std::int64_t m, const T* a, T* c) const;

 private:
  struct Columns {
    std::int64_t first, vectors;
  };

  std::int64_t k_, n_;
  std::vector<Columns> columns_;
  Scratch<T> packed_;
};

}  // namespace weft::detail

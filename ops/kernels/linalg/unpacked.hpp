#pragma once
// Products too small for packing to pay: both operands are read where they lie.
#include <cstdint>

namespace weft::detail {

/// Whether a product of m x k and k x n is faster this way than OpenBLAS's on one thread: decided by measured sizes.
/// T is float or double.
template <class T>
bool is_unpacked(bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k);

/// c = a b, or, if it adds, c += a b; a is m x k (k x m if it is to be transposed), b is k x n (n x k), the leading
/// dimensions those of the rows, k at least 1. The sums are made in an order that k alone decides.
/// `start`, unless null, is a row that is added to each.
template <class T>
void multiply_unpacked(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                       std::int64_t lda, const T* b, std::int64_t ldb, bool adds, T* c, std::int64_t ldc,
                       const T* start = nullptr);

}  // namespace weft::detail

#pragma once
// Matrix products on raw row-major memory.
#include <cstdint>

namespace weft::detail {

/// c = op(a) * op(b) + beta * c with op(a) m x k, op(b) k x n and c m x n, all row-major; op transposes where
/// the flag says so, and the leading dimensions are those of the matrices as stored. Any size may be zero; with beta =
/// 0, c is not read. c must not overlap a or b. T is float or double. Throws Error if a size does not fit OpenBLAS's
/// int.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
          const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc);

/// c = a b + row, which is added to each row: a m x k, b k x n, c m x n, row n, all packed one row after another.
template <class T>
void gemm_plus_row(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b, const T* row, T* c);

}  // namespace weft::detail

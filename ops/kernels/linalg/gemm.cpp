#include <weft/engine/error.hpp>
#include <weft/ops/kernels/copy/copy.hpp>
#include <weft/ops/kernels/linalg/blas_core.hpp>
#include <weft/ops/kernels/linalg/blas_threads.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>
#include <weft/ops/kernels/linalg/packed.hpp>
#include <weft/ops/kernels/linalg/unpacked.hpp>

#include <xtensor-blas/xblas.hpp>

#include <algorithm>
#include <limits>

namespace weft::detail {

namespace {

// While the program starts, when there is one thread.
[[maybe_unused]] const bool core_chosen = choose_blas_core();

// Of fewer rows packing the other matrix takes as long as the product.
constexpr std::int64_t least_rows = 24;

template <class T>
void scale(std::int64_t m, std::int64_t n, T beta, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i) {
    T* row = c + i * ldc;
    if (beta == T(0)) {
      std::fill(row, row + n, T(0));
    } else {
      for (std::int64_t j = 0; j < n; ++j) row[j] *= beta;
    }
  }
}

bool is_tiled(std::int64_t m, std::int64_t n, std::int64_t k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) >= shared_product &&
         m >= least_rows;
}

// Whether rows of a lie so that a tile's fall into one set of the first-level cache, which does not hold them; of fewer
// columns a copy takes longer than what it saves.
template <class T>
bool needs_copy(std::int64_t lda, std::int64_t n) {
  return lda * static_cast<std::int64_t>(sizeof(T)) % 4096 == 0 && n >= 256;
}

// By tiles of our own, along k in parts, each of which is packed, used and forgotten while it is in the cache.
template <class T>
void tiled_gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                std::int64_t lda, const T* b, std::int64_t ldb, bool adds, T* c, std::int64_t ldc,
                const T* start = nullptr) {
  const std::int64_t parts = (k + PackedMatrix<T>::most_depth - 1) / PackedMatrix<T>::most_depth;
  const bool copies = !trans_a && needs_copy<T>(lda, n);
  const Scratch<T> rows(copies ? m * ((k + parts - 1) / parts) : 0);
  for (std::int64_t part = 0; part < parts; ++part, adds = true) {
    const std::int64_t begin = k * part / parts, depth = k * (part + 1) / parts - begin;
    const PackedMatrix<T> right(trans_b, depth, n, trans_b ? b + begin : b + begin * ldb, ldb);
    if (trans_a) {
      right.multiply_transposed(m, a + begin * lda, lda, adds, c, ldc);
      continue;
    }
    if (copies) {
      const std::int64_t shape[] = {m, depth}, from[] = {lda, 1}, into[] = {depth, 1};
      copy_strided(a + begin, from, rows.data(), into, shape, 2, sizeof(T));
    }
    right.multiply(m, copies ? rows.data() : a + begin, copies ? depth : lda, adds, c, ldc, start);
  }
}

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
          const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) return scale(m, n, beta, c, ldc);
  if (std::max({m, n, k, lda, ldb, ldc}) > std::numeric_limits<int>::max()) {
    fail("matmul: got ", m, "x", k, " times ", k, "x", n, ", needs sizes and row lengths below 2^31");
  }
  // What may be shared out among threads is made in tiles of our own: OpenBLAS has other bits on other numbers of them.
  if (is_tiled(m, n, k)) {
    if (beta != T(0) && beta != T(1)) scale(m, n, beta, c, ldc);
    return tiled_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta != T(0), c, ldc);
  }
  if (is_unpacked<T>(trans_b, m, n, k)) {
    if (beta != T(0) && beta != T(1)) scale(m, n, beta, c, ldc);
    return multiply_unpacked(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta != T(0), c, ldc);
  }
  const BlasThreads one_thread(0, shared_product);
  cxxblas::gemm<int>(cxxblas::RowMajor, trans_a ? cxxblas::Trans : cxxblas::NoTrans,
                     trans_b ? cxxblas::Trans : cxxblas::NoTrans, static_cast<int>(m), static_cast<int>(n),
                     static_cast<int>(k), T(1), a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c,
                     static_cast<int>(ldc));
}

template <class T>
void gemm_plus_row(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, const T* b, const T* row, T* c) {
  if (is_tiled(m, n, k)) return tiled_gemm(false, false, m, n, k, a, k, b, n, false, c, n, row);
  if (is_unpacked<T>(false, m, n, k)) return multiply_unpacked(false, false, m, n, k, a, k, b, n, false, c, n, row);
  for (std::int64_t r = 0; r < m; ++r) std::copy_n(row, n, c + r * n);
  gemm(false, false, m, n, k, a, k, b, n, T(1), c, n);
}

template void gemm_plus_row(std::int64_t, std::int64_t, std::int64_t, const float*, const float*, const float*, float*);
template void gemm_plus_row(std::int64_t, std::int64_t, std::int64_t, const double*, const double*, const double*,
                            double*);
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t, const float*,
                   std::int64_t, float, float*, std::int64_t);
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t, const double*,
                   std::int64_t, double, double*, std::int64_t);

}  // namespace weft::detail

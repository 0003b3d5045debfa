#include <weft/engine/error.hpp>
#include <weft/ops/kernels/linalg/blas_core.hpp>
#include <weft/ops/kernels/linalg/blas_threads.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>

#include <xtensor-blas/xblas.hpp>

#include <algorithm>
#include <limits>

namespace weft::detail {

namespace {

// While the program starts, when there is one thread.
[[maybe_unused]] const bool core_chosen = choose_blas_core();

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

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
          const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) return scale(m, n, beta, c, ldc);
  if (std::max({m, n, k, lda, ldb, ldc}) > std::numeric_limits<int>::max()) {
    fail("matmul: got ", m, "x", k, " times ", k, "x", n, ", needs sizes and row lengths below 2^31");
  }
  const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const BlasThreads threads(flops, shared_product);
  cxxblas::gemm<int>(cxxblas::RowMajor, trans_a ? cxxblas::Trans : cxxblas::NoTrans,
                     trans_b ? cxxblas::Trans : cxxblas::NoTrans, static_cast<int>(m), static_cast<int>(n),
                     static_cast<int>(k), T(1), a, static_cast<int>(lda), b, static_cast<int>(ldb), beta, c,
                     static_cast<int>(ldc));
}

template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t, const float*,
                   std::int64_t, float, float*, std::int64_t);
template void gemm(bool, bool, std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t, const double*,
                   std::int64_t, double, double*, std::int64_t);

}  // namespace weft::detail

#include <weft/engine/error.hpp>
#include <weft/engine/memory.hpp>
#include <weft/ops/kernels/linalg/blas_threads.hpp>
#include <weft/ops/kernels/linalg/solve.hpp>

#include <xtensor-blas/xblas.hpp>
#include <xtensor-blas/xlapack.hpp>

#include <algorithm>
#include <limits>
#include <vector>

namespace weft::detail {
namespace {

double cube(std::int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

void exchange_rows(std::int64_t one, std::int64_t other, std::int64_t k, auto* b) {
  if (one != other) std::swap_ranges(b + one * k, b + (one + 1) * k, b + other * k);
}

}  // namespace

void check_matrix_sizes(const char* op, std::int64_t rows, std::int64_t columns) {
  if (std::max(rows, columns) > std::numeric_limits<int>::max())
    fail(op, ": got matrices of ", rows, " x ", columns, ", needs sizes below 2^31");
}

template <class T>
void triangular_solve(const Triangular& form, std::int64_t m, std::int64_t n, const T* a, T* b) {
  if (m == 0 || n == 0) return;
  const auto up_lo = form.upper ? cxxblas::Upper : cxxblas::Lower;
  const auto trans = form.transposed ? cxxblas::Trans : cxxblas::NoTrans;
  const auto diag = form.unit ? cxxblas::Unit : cxxblas::NonUnit;
  const auto rows = static_cast<int>(m), columns = static_cast<int>(n), size = form.right ? columns : rows;
  const BlasThreads threads(static_cast<double>(size) * static_cast<double>(m) * static_cast<double>(n),
                            shared_product);
  if (!form.right && n == 1)  // three times as fast as a matrix of one column
    cxxblas::trsv<int>(cxxblas::RowMajor, up_lo, trans, diag, size, a, size, b, 1);
  else
    cxxblas::trsm<int>(cxxblas::RowMajor, form.right ? cxxblas::Right : cxxblas::Left, up_lo, trans, diag, rows,
                       columns, T(1), a, size, b, columns);
}

template <class T>
void lu_factor(T* a, std::int64_t* pivots, std::int64_t count, std::int64_t n) {
  if (n == 0) return;
  const auto size = static_cast<int>(n);
  const double flops = cube(n) * 2 / 3;
  share_matrices(count, flops, [&](std::int64_t begin, std::int64_t end) {
    const BlasThreads threads(flops, shared_blocks);
    std::vector<int, PoolAllocator<int>> chosen(static_cast<std::size_t>(n));
    for (std::int64_t i = begin; i < end; ++i) {
      cxxlapack::getrf<int>(size, size, a + i * n * n, size, chosen.data());
      std::transform(chosen.begin(), chosen.end(), pivots + i * n, [](int row) { return row - 1; });
    }
  });
}

template <class T>
void lu_solve(bool transposed, std::int64_t n, std::int64_t k, const T* lu, const std::int64_t* pivots, T* b) {
  constexpr Triangular lower = {}, upper = {.upper = true, .unit = true};
  constexpr Triangular lower_transposed = {.transposed = true};
  constexpr Triangular upper_transposed = {.upper = true, .transposed = true, .unit = true};
  if (transposed) {
    for (std::int64_t i = 0; i < n; ++i) exchange_rows(i, pivots[i], k, b);
    triangular_solve(upper_transposed, n, k, lu, b);
    triangular_solve(lower_transposed, n, k, lu, b);
  } else {
    triangular_solve(lower, n, k, lu, b);
    triangular_solve(upper, n, k, lu, b);
    for (std::int64_t i = n; i-- > 0;) exchange_rows(i, pivots[i], k, b);
  }
}

template <class T>
std::int64_t cholesky(T* a, std::int64_t count, std::int64_t n) {
  if (n == 0) return -1;
  const auto size = static_cast<int>(n);
  const double flops = cube(n) / 3;
  FirstOf failed(count);
  share_matrices(count, flops, [&](std::int64_t begin, std::int64_t end) {
    const BlasThreads threads(flops, shared_blocks);
    for (std::int64_t i = begin; i < end; ++i) {
      T* const matrix = a + i * n * n;
      bool positive = cxxlapack::potrf<int>('U', size, matrix, size) == 0;  // what are columns there are rows here
      for (std::int64_t row = 0; row < n; ++row) {
        positive = positive && matrix[row * n + row] > 0;  // nan passes OpenBLAS's test
        std::fill(matrix + row * n + row + 1, matrix + (row + 1) * n, T(0));
      }
      if (!positive) failed.note(i);
    }
  });
  return failed.found();
}

#define WEFT_INSTANTIATE(T)                                                                    \
  template void triangular_solve(const Triangular&, std::int64_t, std::int64_t, const T*, T*); \
  template void lu_factor(T*, std::int64_t*, std::int64_t, std::int64_t);                      \
  template void lu_solve(bool, std::int64_t, std::int64_t, const T*, const std::int64_t*, T*); \
  template std::int64_t cholesky(T*, std::int64_t, std::int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

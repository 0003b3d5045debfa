#include <weft/engine/error.hpp>
#include <weft/engine/memory.hpp>
#include <weft/ops/kernels/copy/copy.hpp>
#include <weft/ops/kernels/linalg/blas_threads.hpp>
#include <weft/ops/kernels/linalg/decompose.hpp>

#include <xtensor-blas/xblas.hpp>
#include <xtensor-blas/xlapack.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace weft::detail {
namespace {

template <class T>
using Buffer = std::vector<T, PoolAllocator<T>>;

template <class T>
Buffer<T> buffer(std::int64_t size) {
  return Buffer<T>(static_cast<std::size_t>(size));
}

double product(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// y, columns x rows, is the transpose of x.
template <class T>
void transpose(const T* x, T* y, std::int64_t rows, std::int64_t columns) {
  const std::int64_t shape[] = {rows, columns};
  const int order[] = {1, 0};
  permute(x, y, shape, order, 2, sizeof(T));
}

// How large LAPACK wants its workspace: what it puts into the first element when asked with a size of -1. As an f32 the
// number may have been rounded down.
template <class T, class F>
int asked(F ask) {
  T size = 0;
  ask(&size);
  return static_cast<int>(std::ceil(static_cast<double>(size) * (1 + 1e-6)));
}

// The workspaces of svd and eigh grow with the square, and their sizes are ints.
void check_square_work(const char* op, std::int64_t n) {
  constexpr std::int64_t most = 20'000;
  if (n > most) fail(op, ": got matrices whose shorter side is ", n, ", needs at most ", most);
}

// Column-major, m x n with m >= n.
template <class T>
class HouseholderQr {
 public:
  HouseholderQr(std::int64_t m, std::int64_t n) : m_(static_cast<int>(m)), n_(static_cast<int>(n)) {
    work_size_ =
        std::max({asked<T>([&](T* work) { cxxlapack::geqrf<int>(m_, n_, work, m_, work, work, -1); }),
                  asked<T>([&](T* work) { cxxlapack::orgqr<int>(m_, n_, n_, work, m_, work, work, -1); }),
                  asked<T>([&](T* work) { cxxlapack::geqp3<int>(m_, n_, work, m_, nullptr, work, work, -1); }),
                  asked<T>([&](T* work) { cxxlapack::gerqf<int>(n_, n_, work, n_, work, work, -1); }),
                  asked<T>([&](T* work) { cxxlapack::orgrq<int>(n_, n_, n_, work, n_, work, work, -1); }), 3 * n_});
  }

  // What a thread needs.
  struct Work {
    Buffer<T> tau, work;
    Buffer<int> columns;
  };
  Work work() const { return {buffer<T>(n_), buffer<T>(work_size_), buffer<int>(n_)}; }

  /// r above the diagonal of a, what q is made of below.
  void factor(T* a, Work& w) const { cxxlapack::geqrf<int>(m_, n_, a, m_, w.tau.data(), w.work.data(), work_size_); }
  /// The same with columns exchanged, so that the diagonal of r falls: column i is a's column w.columns[i] - 1.
  void factor_exchanging(T* a, Work& w) const {
    std::fill(w.columns.begin(), w.columns.end(), 0);
    cxxlapack::geqp3<int>(m_, n_, a, m_, w.columns.data(), w.tau.data(), w.work.data(), work_size_);
  }
  /// a becomes q.
  void make_q(T* a, Work& w) const {
    cxxlapack::orgqr<int>(m_, n_, n_, a, m_, w.tau.data(), w.work.data(), work_size_);
  }
  /// An estimate of what 1 divided by r's condition number is.
  T inverse_condition(const T* a, Work& w) const {
    T result = 0;
    cxxlapack::trcon<int>('1', 'U', 'N', n_, a, m_, result, w.work.data(), w.columns.data());
    return result;
  }
  /// rank x n becomes its rows' part z of [0 l] z; l is copied out as a row-major lower triangle (its transpose).
  void factor_rows(T* a, std::int64_t rank, T* l, Work& w) const {
    const auto rows = static_cast<int>(rank);
    cxxlapack::gerqf<int>(rows, n_, a, rows, w.tau.data(), w.work.data(), work_size_);
    for (std::int64_t j = 0; j < rank; ++j)
      for (std::int64_t i = 0; i <= j; ++i) l[j * n_ + i] = a[(n_ - rank + j) * rank + i];
    cxxlapack::orgrq<int>(rows, n_, rows, a, rows, w.tau.data(), w.work.data(), work_size_);
  }

 private:
  int m_, n_, work_size_;
};

}  // namespace

template <class T>
void qr(const T* a, T* q, T* r, std::int64_t count, std::int64_t m, std::int64_t n) {
  if (count == 0 || n == 0) return;
  const HouseholderQr<T> householder(m, n);
  const double flops = 4 * product(m, n, n);
  share_matrices(count, flops, [&](std::int64_t begin, std::int64_t end) {
    const BlasThreads threads(flops, shared_columns);
    auto work = householder.work();
    auto columns = buffer<T>(m * n);
    for (std::int64_t k = begin; k < end; ++k) {
      transpose(a + k * m * n, columns.data(), m, n);
      householder.factor(columns.data(), work);
      T* const triangle = r + k * n * n;
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j)
          triangle[i * n + j] = i <= j ? columns[static_cast<std::size_t>(j * m + i)] : T(0);
      householder.make_q(columns.data(), work);
      transpose(columns.data(), q + k * m * n, n, m);
    }
  });
}

template <class T>
std::int64_t svd(const T* a, T* u, T* s, T* vt, std::int64_t count, std::int64_t m, std::int64_t n) {
  const std::int64_t k = std::min(m, n), longer = std::max(m, n);
  if (count == 0 || k == 0) return -1;
  check_square_work("svd", k);
  // What is row-major to us is its transpose to LAPACK. It is quicker on tall matrices, so those that are wide here
  // stay as they are, and u and vt change places.
  const bool tall = m > n;
  const auto rows = static_cast<int>(longer), columns = static_cast<int>(k);
  auto chosen = buffer<int>(1);
  const int size = asked<T>([&](T* work) {
    cxxlapack::gesdd<int>('S', rows, columns, work, rows, work, work, rows, work, columns, work, -1, chosen.data());
  });
  const double flops = 10 * product(longer, k, k);
  FirstOf failed(count);
  share_matrices(count, flops, [&](std::int64_t begin, std::int64_t end) {
    const BlasThreads threads(flops, shared_columns);
    auto matrix = buffer<T>(m * n), work = buffer<T>(size), left = buffer<T>(tall ? m * k : 0),
         right = buffer<T>(tall ? k * k : 0);
    auto whole = buffer<int>(8 * k);
    for (std::int64_t i = begin; i < end; ++i) {
      const T* const from = a + i * m * n;
      if (!std::all_of(from, from + m * n, [](T x) { return std::isfinite(x); })) {
        failed.note(i);
        return;
      }
      T *const to_u = u + i * m * k, *const to_vt = vt + i * k * n;
      if (tall)
        transpose(from, matrix.data(), m, n);
      else
        std::copy_n(from, m * n, matrix.data());
      const int info =
          cxxlapack::gesdd<int>('S', rows, columns, matrix.data(), rows, s + i * k, tall ? left.data() : to_vt, rows,
                                tall ? right.data() : to_u, columns, work.data(), size, whole.data());
      if (info != 0) {
        failed.note(i);
        return;
      }
      if (!tall) continue;
      transpose(left.data(), to_u, k, m);
      transpose(right.data(), to_vt, k, k);
    }
  });
  return failed.found();
}

template <class T>
std::int64_t eigh(const T* a, T* values, T* vectors, std::int64_t count, std::int64_t n) {
  if (count == 0 || n == 0) return -1;
  check_square_work("eigh", n);
  const auto size = static_cast<int>(n);
  int whole_size = 0;
  const int work_size =
      asked<T>([&](T* work) { cxxlapack::syevd<int>('V', 'U', size, work, size, work, work, -1, &whole_size, -1); });
  const double flops = 9 * product(n, n, n);
  FirstOf failed(count);
  share_matrices(count, flops, [&](std::int64_t begin, std::int64_t end) {
    const BlasThreads threads(flops, shared_columns);
    auto matrix = buffer<T>(n * n), work = buffer<T>(work_size);
    auto whole = buffer<int>(whole_size);
    for (std::int64_t i = begin; i < end; ++i) {
      const T* const from = a + i * n * n;
      bool finite = true;
      for (std::int64_t row = 0; row < n; ++row)
        finite = finite && std::all_of(from + row * n, from + row * n + row + 1, [](T x) { return std::isfinite(x); });
      std::copy_n(from, n * n, matrix.data());
      if (!finite || cxxlapack::syevd<int>('V', 'U', size, matrix.data(), size, values + i * n, work.data(), work_size,
                                           whole.data(), whole_size) != 0) {
        failed.note(i);
        return;
      }
      transpose(matrix.data(), vectors + i * n * n, n, n);
    }
  });
  return failed.found();
}

template <class T>
void orthogonal_factors(const T* a, T* qt, T* l, T* wt, T tolerance, std::int64_t count, std::int64_t m,
                        std::int64_t k) {
  if (count == 0 || k == 0) return;
  const HouseholderQr<T> householder(m, k);
  const double flops = 4 * product(m, k, k);
  share_matrices(count, flops, [&](std::int64_t begin, std::int64_t end) {
    const BlasThreads threads(flops, shared_columns);
    auto work = householder.work();
    auto rows = buffer<T>(k * k);
    for (std::int64_t b = begin; b < end; ++b) {
      const T* const from = a + b * k * m;
      T *const q = qt + b * k * m, *const lower = l + b * k * k, *const w = wt + b * k * k;
      // q holds r above its diagonal, seen by columns; by rows that is a lower triangle.
      const auto r = [&](std::int64_t i, std::int64_t j) { return q[j * m + i]; };
      std::copy_n(from, k * m, q);
      std::fill_n(w, k * k, T(0));
      std::fill_n(lower, k * k, T(0));
      householder.factor(q, work);
      bool finite = true;
      for (std::int64_t i = 0; i < k; ++i) finite = finite && std::isfinite(r(i, i));
      if (!finite || householder.inverse_condition(q, work) > tolerance) {
        for (std::int64_t j = 0; j < k; ++j) {
          std::copy_n(q + j * m, j + 1, lower + j * k);
          w[j * k + j] = T(1);
        }
      } else {  // exchanging columns is slower, but shows the rank
        std::copy_n(from, k * m, q);
        householder.factor_exchanging(q, work);
        std::int64_t rank = 0;
        while (rank < k && std::abs(r(rank, rank)) > tolerance * std::abs(r(0, 0))) ++rank;
        const Buffer<int> columns = work.columns;
        const Buffer<T> tau = work.tau;
        for (std::int64_t j = 0; j < k; ++j)
          for (std::int64_t i = 0; i < rank; ++i)
            rows[static_cast<std::size_t>(j * rank + i)] = i <= j ? r(i, j) : T(0);
        for (std::int64_t i = rank; i < k; ++i) lower[i * k + i] = T(1);
        if (rank > 0) householder.factor_rows(rows.data(), rank, lower, work);
        for (std::int64_t j = 0; j < k; ++j)
          for (std::int64_t i = 0; i < rank; ++i)
            w[i * k + columns[static_cast<std::size_t>(j)] - 1] = rows[static_cast<std::size_t>(j * rank + i)];
        work.tau = tau;
      }
      householder.make_q(q, work);
    }
  });
}

#define WEFT_INSTANTIATE(T)                                                                  \
  template void qr(const T*, T*, T*, std::int64_t, std::int64_t, std::int64_t);              \
  template std::int64_t svd(const T*, T*, T*, T*, std::int64_t, std::int64_t, std::int64_t); \
  template std::int64_t eigh(const T*, T*, T*, std::int64_t, std::int64_t);                  \
  template void orthogonal_factors(const T*, T*, T*, T*, T, std::int64_t, std::int64_t, std::int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

#pragma once
// How many threads OpenBLAS may use, and how a batch of matrices is shared out.
#include <weft/engine/detail/parallel.hpp>

#include <atomic>

namespace weft::detail {

/// Of a product's work, in floating-point operations, the least that is worth a second thread: about 40 us.
inline constexpr double shared_product = 4e6;
/// The same of a factorisation by blocks, which waits for its threads at each block. What works by columns (QR, SVD,
/// eigenvalues) loses time on two threads up to matrices of 1,000 by 1,000.
inline constexpr double shared_blocks = 4e7, shared_columns = 1e10;

/// While it lives, OpenBLAS has one thread for work of less than `least`, else all. Its OpenMP build asks OpenMP's
/// setting of the calling thread; inside a parallel loop it always uses one.
class BlasThreads {
 public:
#ifdef _OPENMP
  BlasThreads(double flops, double least) : before_(omp_get_max_threads()) {
    const int wanted = flops < least ? 1 : num_threads();
    changed_ = wanted != before_;
    if (changed_) omp_set_num_threads(wanted);
  }
  ~BlasThreads() {
    if (changed_) omp_set_num_threads(before_);
  }

 private:
  int before_;
  bool changed_;
#else
  BlasThreads(double, double) {}
#endif
  BlasThreads(const BlasThreads&) = delete;
  BlasThreads& operator=(const BlasThreads&) = delete;
};

/// Calls f(begin, end) on parts of a batch of `count` matrices, each of `flops` operations (a call alone takes as long
/// as some hundred elements). Small ones are spread over the threads, each on one; of few large ones each may have all
/// threads.
template <class F>
void share_matrices(std::int64_t count, double flops, F&& f) {
  const std::int64_t grain = count < num_threads() ? count : grain_for(static_cast<std::int64_t>(flops / 32) + 500);
  parallel_for(count, grain, f);
}

/// Which of a batch was first to fail, whatever thread it was on.
class FirstOf {
 public:
  explicit FirstOf(std::int64_t count) : count_(count), first_(count) {}
  void note(std::int64_t i) {
    std::int64_t before = first_.load(std::memory_order_relaxed);
    while (i < before && !first_.compare_exchange_weak(before, i, std::memory_order_relaxed)) continue;
  }
  /// -1 if none failed.
  std::int64_t found() const { return first_ == count_ ? -1 : first_.load(); }

 private:
  std::int64_t count_;
  std::atomic<std::int64_t> first_;
};

}  // namespace weft::detail

#include <weft/engine/detail/one_thread.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/threads.hpp>

#include <atomic>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace weft {

namespace {

int machine_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count = machine_threads();
  return count;
}

thread_local bool one_thread = false;

}  // namespace

detail::OneThread::OneThread() : before_(one_thread) { one_thread = true; }
detail::OneThread::~OneThread() { one_thread = before_; }

int num_threads() { return one_thread ? 1 : thread_count().load(std::memory_order_relaxed); }

// OpenBLAS takes its number from each call (see gemm): OpenMP's own setting holds for the calling thread only.
void set_num_threads(int n) {
  if (n < 1) fail("set_num_threads: got ", n, ", needs at least 1");
  thread_count().store(n, std::memory_order_relaxed);
}

}  // namespace weft

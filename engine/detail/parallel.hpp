#pragma once
// Splitting a loop over the thread pool that OpenBLAS shares.
#include <weft/engine/threads.hpp>

#include <algorithm>
#include <cstdint>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace weft::detail {

/// How many items make a part that is worth a thread, some ten microseconds of work: `cost` is that of one item,
/// counted in elements that are read, computed and written; one that is only read is half.
constexpr std::int64_t grain_for(std::int64_t cost) {
  return std::max<std::int64_t>((std::int64_t{1} << 15) / std::max<std::int64_t>(cost, 1), 1);
}

/// Calls f(begin, end) on contiguous parts of [0, n), in parallel when there are at least two parts of `grain` items.
/// The split depends on n, grain and the thread count only, so results repeat bit for bit. f must not throw.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
#ifdef _OPENMP
  const std::int64_t worth = n / std::max<std::int64_t>(grain, 1);
  const std::int64_t wanted = worth > 1 ? std::min<std::int64_t>(num_threads(), worth) : 1;
  if (wanted > 1 && !omp_in_parallel()) {
#pragma omp parallel num_threads(static_cast <int>(wanted))
    {
      const std::int64_t parts = omp_get_num_threads();
      const std::int64_t part = omp_get_thread_num();
      f(n * part / parts, n * (part + 1) / parts);
    }
    return;
  }
#else
  (void)grain;
#endif
  f(std::int64_t{0}, n);
}

}  // namespace weft::detail

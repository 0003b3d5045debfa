#include <weft/engine/memory.hpp>
#include <weft/ops/kernels/linalg/blas_threads.hpp>
#include <weft/ops/kernels/linalg/dot.hpp>

#include <xtensor-blas/xblas.hpp>

#include <vector>

namespace weft::detail {

template <class T>
void dot_rows(const T* a, const T* b, T* out, std::int64_t rows, std::int64_t n) {
  // OpenBLAS takes threads from 10,000 on.
  constexpr std::int64_t block = 8192;
  const std::int64_t blocks = (n + block - 1) / block;
  const auto part = [&](std::int64_t row, std::int64_t k) {
    const std::int64_t begin = row * n + k * block, size = std::min(block, n - k * block);
    T sum = 0;
    cxxblas::dot<int>(static_cast<int>(size), a + begin, 1, b + begin, 1, sum);
    return sum;
  };
  if (blocks == 1) {
    parallel_for(rows, grain_for(n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) out[row] = part(row, 0);
    });
    return;
  }
  std::vector<T, PoolAllocator<T>> parts(static_cast<std::size_t>(rows * blocks));
  parallel_for(rows * blocks, grain_for(block), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) parts[static_cast<std::size_t>(i)] = part(i / blocks, i % blocks);
  });
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::int64_t k = 0; k < blocks; ++k)
      sum += static_cast<double>(parts[static_cast<std::size_t>(row * blocks + k)]);
    out[row] = static_cast<T>(sum);
  }
}

template void dot_rows(const float*, const float*, float*, std::int64_t, std::int64_t);
template void dot_rows(const double*, const double*, double*, std::int64_t, std::int64_t);

}  // namespace weft::detail

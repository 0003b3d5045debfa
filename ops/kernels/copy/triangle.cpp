#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/copy/triangle.hpp>

#include <algorithm>
#include <cstring>

namespace weft::detail {

void triangle_copy(const void* x, void* y, std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t k,
                   Side side, int width) {
  const std::int64_t row = columns * width;
  parallel_for(batch * rows, grain_for(row / 4), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const char* const from = static_cast<const char*>(x) + r * row;
      char* const to = static_cast<char*>(y) + r * row;
      const std::int64_t diagonal = r % rows + k;
      const auto cut = static_cast<std::size_t>(
          std::clamp<std::int64_t>(side == Side::lower ? diagonal + 1 : diagonal, 0, columns) * width);
      const auto rest = static_cast<std::size_t>(row) - cut;
      if (side == Side::lower) {
        std::memcpy(to, from, cut);
        std::memset(to + cut, 0, rest);
      } else {
        std::memset(to, 0, cut);
        std::memcpy(to + cut, from + cut, rest);
      }
    }
  });
}

}  // namespace weft::detail

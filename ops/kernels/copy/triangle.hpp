#pragma once
// Copies of one side of a diagonal.
#include <cstdint>

namespace weft::detail {

enum class Side : std::uint8_t { lower, upper };

/// y = x where column - row <= k (lower) or >= k (upper), else 0, in each of `batch` matrices; -rows <= k <= columns.
/// `width` is the element size in bytes.
void triangle_copy(const void* x, void* y, std::int64_t batch, std::int64_t rows, std::int64_t columns, std::int64_t k,
                   Side side, int width);

}  // namespace weft::detail

#pragma once
// The inner pieces of copies: short runs of bytes, and square tiles turned in registers.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace weft::detail {

/// Bytes of a register, which is a tile's row.
#if defined(__AVX512F__)
inline constexpr int register_bytes = 64;
#elif defined(__AVX__)
inline constexpr int register_bytes = 32;
#else
inline constexpr int register_bytes = 16;
#endif

/// More than 256 bytes, with vectors; `streamed` past the caches (then follows end_of_stream()).
void copy_long(std::byte* y, const std::byte* x, std::int64_t bytes, bool streamed);

/// memcpy that spends no call on the short runs of narrow channels.
inline void copy_block(void* y, const void* x, std::int64_t bytes, bool streamed = false) {
  auto* to = static_cast<char*>(y);
  const auto* from = static_cast<const char*>(x);
  if (bytes > 256) return copy_long(static_cast<std::byte*>(y), static_cast<const std::byte*>(x), bytes, streamed);
  if (bytes < 16) {
    if (bytes == 4) {
      std::memcpy(to, from, 4);
    } else if (bytes == 8) {
      std::memcpy(to, from, 8);
    } else {
      std::memcpy(to, from, static_cast<std::size_t>(bytes));
    }
    return;
  }
  const auto in_pieces = [=]<std::int64_t piece>(std::integral_constant<std::int64_t, piece>) {
    for (std::int64_t i = 0; i + piece <= bytes; i += piece) std::memcpy(to + i, from + i, piece);
    std::memcpy(to + bytes - piece, from + bytes - piece, piece);  // overlaps, which saves a loop over the rest
  };
  if (bytes >= 2 * register_bytes) return in_pieces(std::integral_constant<std::int64_t, register_bytes>{});
  in_pieces(std::integral_constant<std::int64_t, 16>{});
}

/// Side of the tiles: as many words as a register holds, of bytes as many as an SSE one.
template <class Word>
inline constexpr int tile_side = sizeof(Word) == 1 ? 16 : register_bytes / static_cast<int>(sizeof(Word));

template <class Word>
using TileRow [[gnu::vector_size(sizeof(Word) * tile_side<Word>)]] = Word;

/// Exchanges the off-diagonal quarters of each 2 * step square made of rows a and b (Eklundh 1972).
template <int step, class Row, int... column>
inline void exchange(Row& a, Row& b, std::integer_sequence<int, column...>) {
  constexpr int n = sizeof...(column);
  const Row upper = __builtin_shufflevector(a, b, ((column & step) == 0 ? column : n + column - step)...);
  b = __builtin_shufflevector(a, b, ((column & step) == 0 ? column + step : n + column)...);
  a = upper;
}

/// y = x transposed, tile_side rows of tile_side words each; strides are in words.
template <class Word>
inline void transpose_tile(const Word* x, std::int64_t x_stride, Word* y, std::int64_t y_stride) {
  constexpr int n = tile_side<Word>;
  using Columns = std::make_integer_sequence<int, n>;
  // The loops must be unrolled, or the rows are no registers but memory, at four times the time.
  TileRow<Word> row[n];
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) std::memcpy(&row[i], x + i * x_stride, sizeof(row[i]));
  const auto exchange_all = [&]<int step>(std::integral_constant<int, step>) {
    if constexpr (step < n) {
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i)
        if ((i & step) == 0) exchange<step>(row[i], row[i + step], Columns{});
    }
  };
  exchange_all(std::integral_constant<int, 1>{});
  exchange_all(std::integral_constant<int, 2>{});
  exchange_all(std::integral_constant<int, 4>{});
  exchange_all(std::integral_constant<int, 8>{});
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) std::memcpy(y + i * y_stride, &row[i], sizeof(row[i]));
}

}  // namespace weft::detail

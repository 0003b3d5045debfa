#pragma once
// The inner loops of matrix products and convolutions: tiles of the result that stay in registers while scalars of one
// operand, broadcast, multiply vectors of the other.
//
// A tile is `rows` results high and V vectors wide. What limits it is loads: a row costs one broadcast load a step and
// a vector one load, for rows * V multiply-adds, and the machine makes as many of these as loads. Hence tiles two or
// three vectors wide where there is room.
#include <weft/ops/kernels/simd/vector.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace weft::detail {

inline constexpr int vector_registers = sizeof(Vector<float>) == 64 ? 32 : 16;
inline constexpr int max_vectors = 3;
/// The most rows of a tile V vectors wide: all its sums, one row of vectors and a broadcast fit the registers.
inline constexpr int max_rows(int v) { return std::min((vector_registers - 1 - v) / v, 16); }

// The loops over a tile's rows and vectors below must be unrolled, or the arrays do not become registers; the pragmas
// see to it where the compiler's own limits would not.

/// The sums of a tile. `last` says which lanes of the last vector exist.
template <class T, int Rows, int V>
struct TileSums {
  Vector<T> at[Rows][V];

  [[gnu::always_inline]] void clear() {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) at[r][v] = Vector<T>(T(0));
    }
  }

  [[gnu::always_inline]] void load(const T* c, std::int64_t step, const FirstLanes<T>& last) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V - 1; ++v) at[r][v] = Vector<T>::load_unaligned(c + r * step + v * lanes<T>);
      at[r][V - 1] = last.load(c + r * step + (V - 1) * lanes<T>);
    }
  }

  /// Asks for the memory that store() or add_to() will write, which may be far away, before the sums are made.
  [[gnu::always_inline]] static void prefetch(const T* c, std::int64_t step) {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) __builtin_prefetch(c + r * step + v * lanes<T>, 1);
    }
  }

  [[gnu::always_inline]] void add_to(T* c, std::int64_t step, const FirstLanes<T>& last) const {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      T* const row = c + r * step;
#pragma GCC unroll 4
      for (int v = 0; v < V - 1; ++v)
        (Vector<T>::load_unaligned(row + v * lanes<T>) + at[r][v]).store_unaligned(row + v * lanes<T>);
      last.store(row + (V - 1) * lanes<T>, last.load(row + (V - 1) * lanes<T>) + at[r][V - 1]);
    }
  }

  [[gnu::always_inline]] void store(T* c, std::int64_t step, const FirstLanes<T>& last) const {
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V - 1; ++v) at[r][v].store_unaligned(c + r * step + v * lanes<T>);
      last.store(c + r * step + (V - 1) * lanes<T>, at[r][V - 1]);
    }
  }
};

/// One row of V vectors.
template <int V, class T>
[[gnu::always_inline]] inline void load_row(const T* p, const FirstLanes<T>& last, Vector<T> (&row)[V]) {
#pragma GCC unroll 4
  for (int v = 0; v < V - 1; ++v) row[v] = Vector<T>::load_unaligned(p + v * lanes<T>);
  row[V - 1] = last.load(p + (V - 1) * lanes<T>);
}

/// Addresses of rows a runtime distance apart. One pointer serves four rows, so that the addressing modes reach all of
/// them and none is spilled; the empty asm keeps the compiler from working out a pointer a row again.
template <class T, int Rows>
class RowPointers {
 public:
  [[gnu::always_inline]] RowPointers(const T* first, std::int64_t step) : step_(step), step3_(3 * step) {
#pragma GCC unroll 5
    for (int g = 0; g < groups; ++g) {
      base_[g] = first + 4 * g * step;
      asm("" : "+r"(base_[g]));
    }
    asm("" : "+r"(step3_));
  }
  [[gnu::always_inline]] Vector<T> broadcast(int r) const {
    return Vector<T>(*(base_[r / 4] + (r % 4 == 3 ? step3_ : r % 4 * step_)));
  }
  [[gnu::always_inline]] void advance() {
#pragma GCC unroll 5
    for (int g = 0; g < groups; ++g) ++base_[g];
  }

 private:
  static constexpr int groups = (Rows + 3) / 4;
  const T* base_[groups];
  std::int64_t step_, step3_;
};

/// Kernel<T, rows, v>::run for every size of tile up to MaxV vectors that the registers hold.
template <class T, template <class, int, int> class Kernel, int MaxV, class Function>
class TileTable {
 public:
  constexpr TileTable() { fill(std::make_integer_sequence<int, MaxV>{}); }
  Function operator()(std::int64_t rows, std::int64_t v) const {
    return entries_[static_cast<std::size_t>(v - 1)][static_cast<std::size_t>(rows - 1)];
  }

 private:
  template <int... V>
  constexpr void fill(std::integer_sequence<int, V...>) {
    (fill_rows<V + 1>(std::make_integer_sequence<int, max_rows(V + 1)>{}), ...);
  }
  template <int V, int... R>
  constexpr void fill_rows(std::integer_sequence<int, R...>) {
    ((entries_[V - 1][R] = &Kernel<T, R + 1, V>::run), ...);
  }
  std::array<std::array<Function, 16>, MaxV> entries_{};
};

/// How `vectors` columns of vectors are cut into tiles: pairs, and one triple where the number is odd.
inline std::int64_t tile_vectors(std::int64_t vectors) {
  return vectors % 2 == 1 && vectors >= 3 ? 3 : std::min<std::int64_t>(vectors, 2);
}

/// Cuts `rows` into equal parts of at most `most`: the size of the part that begins at `begin`.
inline std::int64_t even_part(std::int64_t rows, std::int64_t most, std::int64_t begin) {
  const std::int64_t parts = (rows + most - 1) / most;
  const std::int64_t index = (begin * parts + rows - 1) / rows;
  return rows * (index + 1) / parts - begin;
}

}  // namespace weft::detail

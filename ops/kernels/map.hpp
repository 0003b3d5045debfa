#pragma once
// Elementwise kernels: one pass over memory for any formula, any number of operands, any broadcast.
#include <weft/engine/parallel.hpp>
#include <weft/ops/kernels/broadcast.hpp>
#include <weft/ops/kernels/lane.hpp>
#include <weft/ops/kernels/vectors.hpp>

#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::detail {

inline constexpr std::int64_t map_grain = 32 * 1024;  // elements for which a second thread pays

/// Calls row(out_offset, offsets, n) for all rows of a broadcast, long ones in parts, shared out among the threads.
template <int N, class F>
void for_rows_in_parallel(const BroadcastLoop<N>& loop, F&& row) {
  const std::int64_t inner = loop.inner(), rows = loop.rows();
  if (rows == 1) {
    parallel_for(inner, map_grain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t offsets[N];
      for (int k = 0; k < N; ++k) offsets[k] = begin * loop.step[k][0];
      row(begin, offsets, end - begin);
    });
    return;
  }
  parallel_for(rows, std::max<std::int64_t>(1, map_grain / std::max<std::int64_t>(1, inner)),
               [&](std::int64_t begin, std::int64_t end) {
                 loop.for_rows(begin, end,
                               [&](std::int64_t at, const std::int64_t* offsets) { row(at, offsets, inner); });
               });
}

/// out[i] = f(in[i]...) for whole buffers of f32 or f64, run in whole vectors past n (the capacity allows it).
template <class T, class F, class... In>
void map_flat(const F& f, std::int64_t n, T* out, const In*... in) {
  if constexpr (std::is_floating_point_v<T>) {
    using L = Lane<T>;
    constexpr std::int64_t w = L::width;
    parallel_for((n + w - 1) / w, map_grain / w, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * w; i < end * w; i += w)
        f(L(xsimd::load_aligned(in + i))...).v.store_aligned(out + i);
    });
  } else {
    parallel_for(n, map_grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) out[i] = f(Whole<T>(in[i])...).v;
    });
  }
}

/// One row whose operands step by 1 or 0; exactly n elements are written.
template <class T, class F, std::size_t N, std::size_t... K>
void map_row(const F& f, std::int64_t n, T* out, const std::array<const T*, N>& in,
             const std::array<std::int64_t, N>& step, std::index_sequence<K...>) {
  if constexpr (std::is_floating_point_v<T>) {
    using L = Lane<T>;
    constexpr std::int64_t w = L::width;
    // An operand that stays is read from a register's worth of copies, so that one loop serves every combination.
    alignas(64) T splat[N][static_cast<std::size_t>(w)];
    std::array<const T*, N> from = in;
    for (std::size_t k = 0; k < N; ++k) {
      if (step[k] != 0) continue;
      std::fill_n(splat[k], w, in[k][0]);
      from[k] = splat[k];
    }
    std::int64_t i = 0;
    for (; i + w <= n; i += w) f(L(xsimd::load_unaligned(from[K] + i * step[K]))...).v.store_unaligned(out + i);
    if (i == n) return;
    const PartVector<T> rest{0, n - i};
    rest.store(out + i, f(L(rest.load(from[K] + i * step[K]))...).v);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = f(Whole<T>(in[K][i * step[K]])...).v;
  }
}

/// out = f(in...) with the operands broadcast to `shape`, the shape of out.
template <class T, class F, std::size_t N>
void map_broadcast(const F& f, const Shape& shape, T* out, std::array<const T*, N> in,
                   const std::array<Shape, N>& shapes) {
  constexpr auto indices = std::make_index_sequence<N>{};
  const BroadcastLoop<static_cast<int>(N)> loop(shape, shapes);
  const std::int64_t inner = loop.inner(), rows = loop.rows();
  if (rows > 1 && inner < 16) {
    // Rows too short for a vector loop: write the broadcast operands out, then go flat. Blocks keep the copies in
    // cache.
    const std::int64_t block_rows = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(inner, 1));
    parallel_for((rows + block_rows - 1) / block_rows, std::max<std::int64_t>(1, map_grain / 4096),
                 [&](std::int64_t begin, std::int64_t end) {
                   std::array<std::vector<T>, N> copies;
                   for (auto& copy : copies) copy.resize(static_cast<std::size_t>(block_rows * inner));
                   std::array<const T*, N> from;
                   for (std::size_t k = 0; k < N; ++k) from[k] = copies[k].data();
                   std::array<std::int64_t, N> ones;
                   ones.fill(1);
                   for (std::int64_t block = begin; block < end; ++block) {
                     const std::int64_t first = block * block_rows, last = std::min(rows, first + block_rows);
                     loop.for_rows(first, last, [&](std::int64_t at, const std::int64_t* offsets) {
                       for (std::size_t k = 0; k < N; ++k) {
                         T* to = copies[k].data() + (at - first * inner);
                         const T* row = in[k] + offsets[k];
                         const std::int64_t step = loop.step[k][0];
                         for (std::int64_t i = 0; i < inner; ++i) to[i] = row[i * step];
                       }
                     });
                     map_row(f, (last - first) * inner, out + first * inner, from, ones, indices);
                   }
                 });
    return;
  }
  std::array<std::int64_t, N> steps;
  for (std::size_t k = 0; k < N; ++k) steps[k] = loop.step[k][0];
  for_rows_in_parallel(loop, [&](std::int64_t at, const std::int64_t* offsets, std::int64_t n) {
    std::array<const T*, N> from;
    for (std::size_t k = 0; k < N; ++k) from[k] = in[k] + offsets[k];
    map_row(f, n, out + at, from, steps, indices);
  });
}

inline constexpr std::int64_t mixed_block = 256;
template <class T>
struct Copies {
  T value[mixed_block];
  Copies() {}  // NOLINT(modernize-use-equals-default): no zeros
};

/// out = f(in...), broadcast, for operands of several types: plain loops over blocks, which the compiler makes vectors
/// of. An operand that stays is read from a block of copies, so that one loop serves every combination.
template <class Out, class F, class... In>
void map_mixed(const F& f, const Shape& shape, Out* out, const std::array<Shape, sizeof...(In)>& shapes,
               const In*... in) {
  constexpr std::int64_t block = mixed_block;
  const BroadcastLoop<static_cast<int>(sizeof...(In))> loop(shape, shapes);
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    for_rows_in_parallel(loop, [&](std::int64_t at, const std::int64_t* offsets, std::int64_t n) {
      std::tuple<Copies<In>...> copies;
      ((loop.step[K][0] == 0 ? void(std::fill_n(std::get<K>(copies).value, std::min(n, block), in[offsets[K]]))
                             : void()),
       ...);
      for (std::int64_t first = 0; first < n; first += block) {
        const auto part = [&](std::int64_t length, Out* to, const In*... from) {
          WEFT_INDEPENDENT
          for (std::int64_t i = 0; i < length; ++i) to[i] = f(from[i]...);
        };
        part(std::min(block, n - first), out + at + first,
             (loop.step[K][0] == 0 ? std::get<K>(copies).value : in + offsets[K] + first)...);
      }
    });
  }
  (std::make_index_sequence<sizeof...(In)>{});
}

}  // namespace weft::detail

#pragma once
// Elementwise kernels: one pass over memory for any formula, any number of operands, any broadcast.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/elementwise/number.hpp>
#include <weft/ops/kernels/loops/strided.hpp>
#include <weft/ops/kernels/simd/register.hpp>

#include <algorithm>
#include <array>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weft::detail {

/// Refers to a function whose type is forgotten: what takes it is compiled once, not for every formula.
template <class... Arguments>
class FunctionRef {
 public:
  template <class F>
  FunctionRef(const F& f)  // NOLINT(google-explicit-constructor)
      : f_(&f), call_([](const void* of, Arguments... a) { (*static_cast<const F*>(of))(a...); }) {}
  void operator()(Arguments... a) const { call_(f_, a...); }

 private:
  const void* f_;
  void (*call_)(const void*, Arguments...);
};

/// Calls row(out_offset, offsets, n) for all rows of a broadcast, long ones in parts, shared out among the threads.
template <int N, class F>
void for_rows_in_parallel(const BroadcastRows<N>& loop, F&& row) {
  const std::int64_t inner = loop.inner.size, rows = loop.rows.count();
  if (rows == 1) {
    parallel_for(inner, grain_for(1), [&](std::int64_t begin, std::int64_t end) {
      std::int64_t offsets[N];
      for (std::size_t k = 0; k < N; ++k) offsets[k] = begin * loop.inner.step[k];
      row(begin, offsets, end - begin);
    });
    return;
  }
  if (inner == 0) return;
  parallel_for(rows, grain_for(inner), [&](std::int64_t begin, std::int64_t end) {
    loop.rows.for_each(begin, end,
                       [&](std::int64_t r, const std::int64_t* offsets) { row(r * inner, offsets, inner); });
  });
}

inline constexpr std::int64_t short_row = 16;  // too short for a vector loop

/// For rows that short: writes the broadcast operands out, in blocks that stay in cache, and calls
/// flat(out_offset, n, copies...) for each block.
template <class F, class... In>
void for_short_rows(const BroadcastRows<static_cast<int>(sizeof...(In))>& loop, F&& flat, const In*... in) {
  constexpr std::int64_t block = 4096;
  const std::int64_t inner = loop.inner.size, rows = loop.rows.count();
  if (inner == 0) return;
  const std::int64_t block_rows = std::max<std::int64_t>(1, block / inner);
  parallel_for((rows + block_rows - 1) / block_rows, grain_for(block), [&](std::int64_t begin, std::int64_t end) {
    std::tuple copies{std::vector<In>(static_cast<std::size_t>(block_rows * inner))...};
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t first = b * block_rows, last = std::min(rows, first + block_rows);
      [&]<std::size_t... K>(std::index_sequence<K...>) {
        loop.rows.for_each(first, last, [&](std::int64_t r, const std::int64_t* offsets) {
          const auto copy = [&](auto* to, const auto* row, std::int64_t step) {
            for (std::int64_t i = 0; i < inner; ++i) to[i] = row[i * step];
          };
          (copy(std::get<K>(copies).data() + (r - first) * inner, in + offsets[K], loop.inner.step[K]), ...);
        });
        flat(first * inner, (last - first) * inner, std::get<K>(copies).data()...);
      }
      (std::index_sequence_for<In...>{});
    }
  });
}

// What follows takes all that a loop reads by value, or copies it: a vector that is stored may, to the compiler, have
// changed anything that a pointer leads to.

/// out[i] = f(in[i]...) for i in [begin, end), the bounds whole vectors apart where T is f32 or f64.
template <class T, class F, class... In>
void map_part(F f, std::int64_t begin, std::int64_t end, T* out, const In*... in) {
  if constexpr (std::is_floating_point_v<T>) {
    for (std::int64_t i = begin; i < end; i += lanes<T>)
      f(Register<T>(xsimd::load_aligned(in + i))...).v.store_aligned(out + i);
  } else {
    WEFT_INDEPENDENT
    for (std::int64_t i = begin; i < end; ++i) out[i] = f(Number<T>(in[i])...).v;
  }
}

/// out[i] = f(in[i]...) for whole buffers; f32 and f64 in whole vectors past n (the capacity allows it). An operand may
/// be the output.
template <class T, class F, class... In>
void map_flat(const F& f, std::int64_t n, T* out, const In*... in) {
  constexpr std::int64_t w = std::is_floating_point_v<T> ? lanes<T> : 1;
  parallel_for((n + w - 1) / w, grain_for(w),
               [&](std::int64_t begin, std::int64_t end) { map_part(f, begin * w, end * w, out, in...); });
}

/// One row of f32 or f64 whose operands step by 1 or 0; exactly n elements are written.
template <class T, class F, std::size_t N, std::size_t... K>
void map_row(F f, std::int64_t n, T* out, const std::array<const T*, N>& in, std::array<std::int64_t, N> step,
             std::index_sequence<K...>) {
  using L = Register<T>;
  constexpr std::int64_t w = lanes<T>;
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
  const FirstLanes<T> rest(n - i);
  rest.store(out + i, f(L(rest.load(from[K] + i * step[K]))...).v);
}

inline constexpr std::int64_t mixed_block = 256;
template <class T>
struct Copies {
  T value[mixed_block];
  Copies() {}  // NOLINT(modernize-use-equals-default): no zeros
};

/// Calls flat(out_offset, n, operands...) for blocks of a broadcast. An operand that stays is read from a block of
/// copies, so that one loop serves every combination.
template <class... In>
[[gnu::noinline]] void for_mixed_blocks(const Shape& shape, const std::array<Shape, sizeof...(In)>& shapes,
                                        FunctionRef<std::int64_t, std::int64_t, const In*...> flat, const In*... in) {
  const BroadcastRows<static_cast<int>(sizeof...(In))> loop(shape, shapes);
  // Rows cost more here: the vectors are of bytes, so longer, and what stays is copied for each.
  if (loop.rows.count() > 1 && loop.inner.size < 3 * short_row) return for_short_rows(loop, flat, in...);
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    for_rows_in_parallel(loop, [&](std::int64_t at, const std::int64_t* offsets, std::int64_t n) {
      std::tuple<Copies<In>...> copies;
      const auto repeat = [&](auto& copy, auto value) { std::fill_n(copy.value, std::min(n, mixed_block), value); };
      ((loop.inner.step[K] == 0 ? repeat(std::get<K>(copies), in[offsets[K]]) : void()), ...);
      for (std::int64_t first = 0; first < n; first += mixed_block)
        flat(at + first, std::min(mixed_block, n - first),
             (loop.inner.step[K] == 0 ? std::get<K>(copies).value : in + offsets[K] + first)...);
    });
  }
  (std::index_sequence_for<In...>{});
}

/// out = f(in...), broadcast, for operands of several types: plain loops over blocks, which the compiler makes vectors
/// of.
template <class Out, class F, class... In>
void map_mixed(const F& f, const Shape& shape, Out* out, const std::array<Shape, sizeof...(In)>& shapes,
               const In*... in) {
  const auto flat = [&](std::int64_t at, std::int64_t n, const In*... from) {
    Out* const to = out + at;
    const F g = f;
    WEFT_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) to[i] = g(from[i]...);
  };
  for_mixed_blocks(shape, shapes, FunctionRef<std::int64_t, std::int64_t, const In*...>(flat), in...);
}

/// N operands, 2 to 5, broadcast to the shape of out.
template <class T, std::size_t N>
struct Broadcast {
  using Pointers = std::array<const T*, N>;
  using Steps = std::array<std::int64_t, N>;

  const Shape& shape;
  T* out;
  const Pointers& in;
  const std::array<Shape, N>& shapes;

  /// Calls row(n, out, operands, steps) for the rows, the steps 1 or 0.
  void for_rows(FunctionRef<std::int64_t, T*, const Pointers&, const Steps&> row) const;
};

/// out = f(in...) with the operands broadcast to `shape`, the shape of out.
template <class T, class F, std::size_t N>
void map_broadcast(const F& f, const Shape& shape, T* out, std::array<const T*, N> in,
                   const std::array<Shape, N>& shapes) {
  if constexpr (!std::is_floating_point_v<T>) {
    const auto plain = [f](auto... v) { return f(Number<T>(v)...).v; };
    std::apply([&](auto*... from) { map_mixed(plain, shape, out, shapes, from...); }, in);
  } else {
    using Rows = Broadcast<T, N>;
    const auto row = [&](std::int64_t n, T* to, const typename Rows::Pointers& from, const typename Rows::Steps& step) {
      map_row(f, n, to, from, step, std::make_index_sequence<N>{});
    };
    Rows{shape, out, in, shapes}.for_rows(row);
  }
}

}  // namespace weft::detail

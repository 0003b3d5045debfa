#pragma once
// Elementwise kernels: one pass over memory for any formula, any number of operands, any broadcast.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/elementwise/number.hpp>
#include <weft/ops/kernels/loops/strided.hpp>
#include <weft/ops/kernels/simd/register.hpp>
#include <weft/ops/kernels/simd/stream.hpp>

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

/// Rows of a broadcast one after the other in the result, at equal distances in each operand.
template <int N>
struct RowRun {
  std::int64_t out;  // where the first is written
  std::int64_t count, size;
  std::array<std::int64_t, N> in, row_step;  // where the first is read, and how far it is to the next
};

/// Calls f(run) for all rows of a broadcast, shared out among the threads; a single row in parts.
template <int N, class F>
void for_runs_in_parallel(const BroadcastRows<N>& loop, F&& f) {
  const std::int64_t inner = loop.inner.size, rows = loop.rows.count();
  if (rows == 1) {
    parallel_for(inner, grain_for(1), [&](std::int64_t begin, std::int64_t end) {
      RowRun<N> run{begin, 1, end - begin, {}, {}};
      for (std::size_t k = 0; k < N; ++k) run.in[k] = begin * loop.inner.step[k];
      f(run);
    });
    return;
  }
  if (inner == 0) return;
  parallel_for(rows, grain_for(inner), [&](std::int64_t begin, std::int64_t end) {
    loop.rows.for_each_run(begin, end, [&](std::int64_t row, const std::int64_t* offsets, const Loop<N>& loop_of_rows) {
      RowRun<N> run{row * inner, loop_of_rows.size, inner, {}, loop_of_rows.step};
      std::copy_n(offsets, N, run.in.begin());
      f(run);
    });
  });
}

inline constexpr std::int64_t short_row = 16;  // too short for a vector loop

/// Writes out the rows of one operand, which goes on in them by 1 or 0.
template <class T>
[[gnu::noinline]] void copy_rows(T* to, const T* from, std::int64_t rows, std::int64_t row_step, std::int64_t size,
                                 std::int64_t step) {
  if (step != 0 && row_step == size) {
    std::copy_n(from, rows * size, to);
    return;
  }
  for (std::int64_t row = 0; row < rows; ++row, to += size, from += row_step) {
    if (step != 0)
      for (std::int64_t i = 0; i < size; ++i) to[i] = from[i];
    else
      std::fill_n(to, size, T{*from});
  }
}

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
        loop.rows.for_each_run(first, last, [&](std::int64_t row, const std::int64_t* offsets, const auto& run) {
          (copy_rows(std::get<K>(copies).data() + (row - first) * inner, in + offsets[K], run.size, run.step[K], inner,
                     loop.inner.step[K]),
           ...);
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
[[gnu::noinline]] void map_part(F f, std::int64_t begin, std::int64_t end, T* out, const In*... in) {
  if constexpr (std::is_floating_point_v<T>) {
    for (std::int64_t i = begin; i < end; i += lanes<T>)
      f(Register<T>(xsimd::load_aligned(in + i))...).v.store_aligned(out + i);
  } else {
    WEFT_INDEPENDENT
    for (std::int64_t i = begin; i < end; ++i) out[i] = f(Number<T>(in[i])...).v;
  }
}

/// The same, written past the caches: in blocks, so that the loop stands there once.
template <class T, class F, class... In>
void map_streamed(const F& f, std::int64_t begin, std::int64_t end, T* out, const In*... in) {
  constexpr std::int64_t block = 1024;
  alignas(64) T results[block];
  for (std::int64_t i = begin; i < end; i += block) {
    const std::int64_t n = std::min(block, end - i);
    map_part(f, 0, n, results, (in + i)...);
    for (std::int64_t k = 0; k < n; k += lanes<T>) stream<T>(out + i + k, Vector<T>::load_aligned(results + k));
  }
  end_of_stream();
}

/// out[i] = f(in[i]...) for whole buffers; f32 and f64 in whole vectors past n (the capacity allows it). An operand may
/// be the output.
template <class T, class F, class... In>
void map_flat(const F& f, std::int64_t n, T* out, const In*... in) {
  constexpr std::int64_t w = std::is_floating_point_v<T> ? lanes<T> : 1;
  parallel_for((n + w - 1) / w, grain_for(w), [&](std::int64_t begin, std::int64_t end) {
    if constexpr (std::is_floating_point_v<T>)
      if (is_streamed(n * static_cast<std::int64_t>(sizeof(T) * (sizeof...(In) + 1))) &&
          !((static_cast<const void*>(in) == out) || ...))  // what is read is in the caches
        return map_streamed(f, begin * w, end * w, out, in...);
    map_part(f, begin * w, end * w, out, in...);
  });
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

inline constexpr std::int64_t mixed_block = 1024;
template <class T>
struct Copies {
  alignas(64) T value[mixed_block];
  Copies() {}  // NOLINT(modernize-use-equals-default): no zeros
};

/// Rows as in RowRun, in which every operand goes on element by element.
template <class... In>
struct FlatRows {
  std::int64_t out, count, size;
  std::tuple<const In*...> in;
  std::array<std::int64_t, sizeof...(In)> row_step;
};

/// Calls flat(rows) for a broadcast in parts. An operand that stays is read from a block of copies, so that one loop
/// serves every combination.
template <class... In>
[[gnu::noinline]] void for_flat_rows(const Shape& shape, const std::array<Shape, sizeof...(In)>& shapes,
                                     FunctionRef<const FlatRows<In...>&> flat, const In*... in) {
  constexpr int n = sizeof...(In);
  if (std::all_of(shapes.begin(), shapes.end(), [&](const Shape& s) { return s == shape; })) {
    parallel_for(shape.size(), grain_for(1), [&](std::int64_t begin, std::int64_t end) {
      flat({begin, 1, end - begin, {in + begin...}, {}});
    });
    return;
  }
  const BroadcastRows<n> loop(shape, shapes);
  // Rows cost more here: the vectors are of bytes, so longer, and what stays is copied for each.
  if (loop.rows.count() > 1 && loop.inner.size < 3 * short_row) {
    const auto whole = [&](std::int64_t at, std::int64_t size, const In*... from) {
      flat({at, 1, size, {from...}, {}});
    };
    return for_short_rows(loop, whole, in...);
  }
  const auto stays = [&](std::size_t k) { return loop.inner.step[k] == 0; };
  bool any_stays = false;
  for (std::size_t k = 0; k < n; ++k) any_stays |= stays(k);
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    for_runs_in_parallel(loop, [&](const RowRun<n>& run) {
      std::tuple<Copies<In>...> copies;
      // As many short rows as the copies have room for, or a long one in parts, which share the copies.
      const bool parts = any_stays && run.size > mixed_block / 2;
      const std::int64_t width = parts ? mixed_block / 4 : run.size;
      const std::int64_t group = parts ? 1 : any_stays ? mixed_block / std::max<std::int64_t>(width, 1) : run.count;
      for (std::int64_t row = 0; row < run.count; row += group) {
        const std::int64_t rows = std::min(group, run.count - row), out = run.out + row * run.size;
        const std::array<std::int64_t, n> from{run.in[K] + row * run.row_step[K]...};
        const auto fill = [&](auto& copies_of, const auto* of, std::int64_t row_step) {
          copy_rows(copies_of.value, of, rows, row_step, width, 0);
        };
        ((stays(K) ? fill(std::get<K>(copies), in + from[K], run.row_step[K]) : void()), ...);
        const auto call = [&](std::int64_t first, std::int64_t count, std::int64_t size,
                              const std::array<std::int64_t, n>& step) {
          flat({out + first, count, size, {(stays(K) ? std::get<K>(copies).value : in + from[K] + first)...}, step});
        };
        if (!parts) {
          call(0, rows, width, {(stays(K) ? width : run.row_step[K])...});
          continue;
        }
        const std::int64_t count = run.size / width, rest = run.size % width;
        call(0, count, width, {(stays(K) ? 0 : width)...});
        if (rest > 0) call(count * width, 1, rest, {});
      }
    });
  }
  (std::index_sequence_for<In...>{});
}

/// out = f(in...), broadcast, for operands of several types: plain loops, which the compiler makes vectors of.
template <class Out, class F, class... In>
void map_mixed(const F& f, const Shape& shape, Out* out, const std::array<Shape, sizeof...(In)>& shapes,
               const In*... in) {
  const auto flat = [&](const FlatRows<In...>& rows) {
    [&]<std::size_t... K>(std::index_sequence<K...>) {
      for (std::int64_t row = 0; row < rows.count; ++row) {
        const auto loop = [g = f, n = rows.size, to = out + rows.out + row * rows.size](const In*... from) {
          WEFT_INDEPENDENT
          for (std::int64_t i = 0; i < n; ++i) to[i] = g(from[i]...);
        };
        loop(std::get<K>(rows.in) + row * rows.row_step[K]...);
      }
    }
    (std::index_sequence_for<In...>{});
  };
  for_flat_rows(shape, shapes, FunctionRef<const FlatRows<In...>&>(flat), in...);
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

  /// Calls rows(run, from, steps) for all rows. Operand k begins at from[k] + run.in[k], and steps by 1 or 0.
  void for_runs(FunctionRef<const RowRun<static_cast<int>(N)>&, const Pointers&, const Steps&> rows) const;
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
    const auto rows = [&](const RowRun<static_cast<int>(N)>& run, const typename Rows::Pointers& from,
                          const typename Rows::Steps& step) {
      typename Rows::Pointers at;
      for (std::size_t k = 0; k < N; ++k) at[k] = from[k] + run.in[k];
      for (std::int64_t row = 0; row < run.count; ++row) {
        map_row(f, run.size, out + run.out + row * run.size, at, step, std::make_index_sequence<N>{});
        for (std::size_t k = 0; k < N; ++k) at[k] += run.row_step[k];
      }
    };
    Rows{shape, out, in, shapes}.for_runs(rows);
  }
}

}  // namespace weft::detail

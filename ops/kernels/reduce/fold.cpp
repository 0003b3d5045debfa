// Reductions by comparing or multiplying: everything in reduce.hpp that does not add.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/reduce/columns.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace weft::detail {

namespace {

// A fold has the type it accumulates in, its identity, one step with an element and the joining of two partial results.
template <class T>
struct Product {
  using Value = SumOf<T>;
  static constexpr Value identity = 1;
  static Value join(Value a, Value b) {
    if constexpr (std::is_integral_v<T>) {  // wraps without undefined behaviour
      return static_cast<Value>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
    } else {
      return a * b;
    }
  }
  static Value step(Value a, T x) { return join(a, static_cast<Value>(x)); }
  static T of_row(const T* row, std::int64_t n) {
    const auto product = [](const Vector<T>& a, const Vector<T>& b) { return a * b; };
    return fold_lanes<T>(fold_vectors<T>(
                             0, n, Vector<T>(T{1}),
                             [row](const Vector<T>& a, auto v) { return a * v.keep(v.load(row), T{1}); }, product),
                         product);
  }
};

// Best of a row by the processor's own comparison, which loses NaNs. They show in the sum (as do infinities of both
// signs, without harm): only then is every element looked at.
template <class F, class T>
T best_of_row(const T* row, std::int64_t n) {
  struct Pair {
    Vector<T> best, sum;
  };
  const auto join = [](const Pair& a, const Pair& b) { return Pair{F::join_ordered(a.best, b.best), a.sum + b.sum}; };
  const Pair found = fold_vectors<T>(
      0, n, Pair{Vector<T>(F::identity), Vector<T>(T{0})},
      [=](const Pair& a, auto v) {
        const Vector<T> x = v.load(row);
        return join(a, Pair{v.keep(x, F::identity), x});
      },
      join);
  if (!std::isnan(xsimd::hadd(found.sum))) return fold_lanes<T>(found.best, F::join_ordered);
  return std::accumulate(row, row + n, F::identity, F::step);
}

// `x != x` (NaN) replaces, and nothing replaces a NaN. Bitwise operators, so that the loop has no branches.
template <class T>
struct Largest {
  using Value = T;
  static constexpr T identity =
      std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  static bool better(T a, T x) { return x > a; }
  static T step(T a, T x) { return (int{x > a} | int{x != x}) != 0 ? x : a; }
  static T join(T a, T b) { return step(a, b); }
  static Vector<T> join_ordered(const Vector<T>& a, const Vector<T>& b) { return xsimd::max(a, b); }
  static T of_row(const T* row, std::int64_t n) { return best_of_row<Largest>(row, n); }
};
template <class T>
struct Smallest {
  using Value = T;
  static constexpr T identity =
      std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  static bool better(T a, T x) { return x < a; }
  static T step(T a, T x) { return (int{x < a} | int{x != x}) != 0 ? x : a; }
  static T join(T a, T b) { return step(a, b); }
  static Vector<T> join_ordered(const Vector<T>& a, const Vector<T>& b) { return xsimd::min(a, b); }
  static T of_row(const T* row, std::int64_t n) { return best_of_row<Smallest>(row, n); }
};

template <class T>
struct Any {
  using Value = std::uint8_t;
  static constexpr Value identity = 0;
  static Value step(Value a, T x) { return static_cast<Value>(a | Value{x != T{0}}); }
  static Value join(Value a, Value b) { return static_cast<Value>(a | b); }
};
template <class T>
struct All {
  using Value = std::uint8_t;
  static constexpr Value identity = 1;
  static Value step(Value a, T x) { return static_cast<Value>(a & Value{x != T{0}}); }
  static Value join(Value a, Value b) { return static_cast<Value>(a & b); }
};

// Elements folded side by side in the accumulators of one strip.
constexpr std::int64_t fold_strip = 512;

// acc[c] = fold of `rows` rows of x that are `stride` apart, four at a time to spare the accumulators.
template <class F, class T, class Value = typename F::Value>
void fold_rows(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t width, Value* acc) {
  std::fill_n(acc, width, F::identity);
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T *a = x + r * stride, *b = a + stride, *c = b + stride, *d = c + stride;
    WEFT_INDEPENDENT
    for (std::int64_t i = 0; i < width; ++i)
      acc[i] = F::step(F::step(F::step(F::step(acc[i], a[i]), b[i]), c[i]), d[i]);
  }
  for (; r < rows; ++r) {
    const T* a = x + r * stride;
    WEFT_INDEPENDENT
    for (std::int64_t i = 0; i < width; ++i) acc[i] = F::step(acc[i], a[i]);
  }
}

// As fold_rows for a dense matrix of at most `fold_strip` columns. A narrow one is folded as a wide one, several rows
// side by side, whose parts are joined at the end; the accumulators hold max(fold_strip, width) values.
template <class F, class T, class Value = typename F::Value>
void fold_dense(const T* x, std::int64_t rows, std::int64_t width, Value* acc, Value* out) {
  const std::int64_t repeat = width <= fold_strip / 2 ? fold_strip / width : 1;
  const std::int64_t groups = rows / repeat, used = groups * repeat;
  if (groups < 2 || repeat == 1) return fold_rows<F>(x, rows, width, width, out);
  fold_rows<F>(x, groups, repeat * width, repeat * width, acc);
  // By halves: joined one after the other, the parts of a short row would cost more than reading it.
  for (std::int64_t left = repeat; left > 1;) {
    const std::int64_t half = left / 2;
    left -= half;
    WEFT_INDEPENDENT
    for (std::int64_t i = 0; i < half * width; ++i) acc[i] = F::join(acc[i], acc[left * width + i]);
  }
  std::copy_n(acc, width, out);
  for (std::int64_t r = used; r < rows; ++r)
    for (std::int64_t c = 0; c < width; ++c) out[c] = F::step(out[c], x[r * width + c]);
}

// A row of floats is folded in registers; of anything else by the compiler's vectors, if it is long side by side.
template <class F, class T, class Value = typename F::Value>
Value fold_row(const T* row, std::int64_t n, Value* acc) {
  if constexpr (std::is_floating_point_v<T> && std::is_same_v<T, Value>) {
    return F::of_row(row, n);
  } else {
    Value value = F::identity;
    if (n >= 4 * fold_strip) {
      fold_dense<F>(row, n, 1, acc, &value);
    } else {
      for (std::int64_t i = 0; i < n; ++i) value = F::step(value, row[i]);
    }
    return value;
  }
}

template <class F, class T, class Value = typename F::Value>
void fold(const T* x, Value* out, Collapsed shape) {
  const std::int64_t outer = shape.outer, axis = shape.axis, inner = shape.inner;
  if (outer == 0 || inner == 0) return;
  // Work items: strips of columns, and chunks of a long axis when there are few of those.
  const std::int64_t strips = (inner + fold_strip - 1) / fold_strip, width = std::min(inner, fold_strip);
  const std::int64_t step =
      strips > 1 ? std::max<std::int64_t>(axis, 1) : std::max<std::int64_t>(chunk_elements / inner, 1);
  const std::int64_t chunks = std::max<std::int64_t>((axis + step - 1) / step, 1);
  const std::int64_t each = std::min(step, axis) * width;
  std::vector<Value> partial(chunks > 1 ? static_cast<std::size_t>(outer * chunks * inner) : 0);
  Value* results = chunks > 1 ? partial.data() : out;
  parallel_for(outer * strips * chunks, grain_for(each / 2), [=](std::int64_t begin, std::int64_t end) {
    alignas(64) Value acc[fold_strip];
    for (std::int64_t k = begin; k < end; ++k) {
      if (strips > 1) {
        const std::int64_t o = k / strips, first = k % strips * fold_strip;
        fold_rows<F>(x + o * axis * inner + first, axis, inner, std::min(fold_strip, inner - first),
                     out + o * inner + first);
      } else {
        const std::int64_t o = chunks == 1 ? k : k / chunks, first = (k - o * chunks) * step;
        if (inner == 1) {
          results[k] = fold_row<F>(x + o * axis + first, std::min(step, axis - first), acc);
          continue;
        }
        fold_dense<F>(x + (o * axis + first) * inner, std::min(step, axis - first), inner, acc, results + k * inner);
      }
    }
  });
  if (chunks == 1) return;
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < inner; ++i) {
      Value value = F::identity;
      for (std::int64_t k = 0; k < chunks; ++k)
        value = F::join(value, partial[static_cast<std::size_t>((o * chunks + k) * inner + i)]);
      out[o * inner + i] = value;
    }
}

// Position of the first winner in a row: its value first, at the speed of reading, then where it stands.
template <class F, class T>
std::int64_t first_best(const T* row, std::int64_t n) {
  alignas(64) T acc[fold_strip];
  const T best = fold_row<F>(row, n, acc);
  if (best != best) return std::find_if(row, row + n, [](T v) { return v != v; }) - row;
  constexpr std::int64_t block = 64;
  std::int64_t i = 0;
  for (; i + block <= n; i += block) {
    int found = 0;
    for (std::int64_t k = 0; k < block; ++k) found |= int{row[i + k] == best};
    if (found != 0) break;
  }
  return std::find(row + i, row + n, best) - row;
}

// Position is as wide as T, so that values and positions share vectors; a longer axis takes the wider one.
template <class F, class Position, class T>
void best_positions(const T* x, std::int64_t* out, Collapsed shape) {
  const std::int64_t outer = shape.outer, axis = shape.axis, inner = shape.inner;
  const std::int64_t strips = (inner + fold_strip - 1) / fold_strip;
  parallel_for(outer * strips, grain_for(axis * std::min(inner, fold_strip) / 2),
               [=](std::int64_t begin, std::int64_t end) {
                 alignas(64) T best[fold_strip];
                 alignas(64) Position position[fold_strip];
                 for (std::int64_t k = begin; k < end; ++k) {
                   const std::int64_t first = k % strips * fold_strip, width = std::min(fold_strip, inner - first);
                   const T* from = x + k / strips * axis * inner + first;
                   std::copy_n(from, width, best);
                   std::fill_n(position, width, Position{0});
                   for (std::int64_t a = 1; a < axis; ++a) {
                     const T* row = from + a * inner;
                     const auto here = static_cast<Position>(a);
                     WEFT_INDEPENDENT
                     for (std::int64_t i = 0; i < width; ++i) {
                       const T v = row[i], b = best[i];
                       const bool take = (int{F::better(b, v)} | (int{v != v} & int{b == b})) != 0;
                       best[i] = take ? v : b;
                       position[i] = take ? here : position[i];
                     }
                   }
                   for (std::int64_t i = 0; i < width; ++i)
                     out[k / strips * inner + first + i] = static_cast<std::int64_t>(position[i]);
                 }
               });
}

template <class F, class T>
void arg_best(const T* x, std::int64_t* out, Collapsed shape) {
  const std::int64_t outer = shape.outer, axis = shape.axis, inner = shape.inner;
  if (outer == 0 || inner == 0) return;
  if (inner == 1) {
    parallel_for(outer, grain_for(axis / 2), [=, n = axis](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) out[o] = first_best<F>(x + o * n, n);
    });
  } else if (sizeof(T) == 8 || axis > std::numeric_limits<std::int32_t>::max()) {
    best_positions<F, std::int64_t>(x, out, shape);
  } else {
    best_positions<F, std::int32_t>(x, out, shape);
  }
}

}  // namespace

template <class T>
void reduce_prod(const T* x, SumOf<T>* out, Collapsed shape) {
  fold<Product<T>>(x, out, shape);
}
template <class T>
void reduce_max(const T* x, T* out, Collapsed shape) {
  fold<Largest<T>>(x, out, shape);
}
template <class T>
void reduce_min(const T* x, T* out, Collapsed shape) {
  fold<Smallest<T>>(x, out, shape);
}
template <class T>
void reduce_any(const T* x, std::uint8_t* out, Collapsed shape) {
  fold<Any<T>>(x, out, shape);
}
template <class T>
void reduce_all(const T* x, std::uint8_t* out, Collapsed shape) {
  fold<All<T>>(x, out, shape);
}
template <class T>
void reduce_argmax(const T* x, std::int64_t* out, Collapsed shape) {
  arg_best<Largest<T>>(x, out, shape);
}
template <class T>
void reduce_argmin(const T* x, std::int64_t* out, Collapsed shape) {
  arg_best<Smallest<T>>(x, out, shape);
}

template void reduce_prod(const float*, float*, Collapsed);
template void reduce_prod(const double*, double*, Collapsed);
template void reduce_prod(const std::int64_t*, std::int64_t*, Collapsed);
template void reduce_prod(const std::uint8_t*, std::int64_t*, Collapsed);
template void reduce_max(const float*, float*, Collapsed);
template void reduce_max(const double*, double*, Collapsed);
template void reduce_max(const std::int64_t*, std::int64_t*, Collapsed);
template void reduce_max(const std::uint8_t*, std::uint8_t*, Collapsed);
template void reduce_min(const float*, float*, Collapsed);
template void reduce_min(const double*, double*, Collapsed);
template void reduce_min(const std::int64_t*, std::int64_t*, Collapsed);
template void reduce_min(const std::uint8_t*, std::uint8_t*, Collapsed);
template void reduce_argmax(const float*, std::int64_t*, Collapsed);
template void reduce_argmax(const double*, std::int64_t*, Collapsed);
template void reduce_argmax(const std::int64_t*, std::int64_t*, Collapsed);
template void reduce_argmax(const std::uint8_t*, std::int64_t*, Collapsed);
template void reduce_argmin(const float*, std::int64_t*, Collapsed);
template void reduce_argmin(const double*, std::int64_t*, Collapsed);
template void reduce_argmin(const std::int64_t*, std::int64_t*, Collapsed);
template void reduce_argmin(const std::uint8_t*, std::int64_t*, Collapsed);
template void reduce_any(const float*, std::uint8_t*, Collapsed);
template void reduce_any(const double*, std::uint8_t*, Collapsed);
template void reduce_any(const std::int64_t*, std::uint8_t*, Collapsed);
template void reduce_any(const std::uint8_t*, std::uint8_t*, Collapsed);
template void reduce_all(const float*, std::uint8_t*, Collapsed);
template void reduce_all(const double*, std::uint8_t*, Collapsed);
template void reduce_all(const std::int64_t*, std::uint8_t*, Collapsed);
template void reduce_all(const std::uint8_t*, std::uint8_t*, Collapsed);

}  // namespace weft::detail

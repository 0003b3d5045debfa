#pragma once
// SIMD over one row of f32 or f64: whole vectors, then one partial vector, written as a single generic lambda.
#include <weft/ops/kernels/simd/vector.hpp>

#include <cstdint>
#include <limits>

namespace weft::detail {

/// Elements [i, i + lanes) of a row, or with FirstLanes as many as there are. Loads put 0 in the lanes past the end;
/// `keep` has v in the lanes of the row, `rest` in those past the end.
template <class T, class Lanes>
struct RowVector {
  std::int64_t i;
  Lanes part{};

  Vector<T> load(const T* row) const { return part.load(row + i); }
  void store(T* row, const Vector<T>& v) const { part.store(row + i, v); }
  Vector<T> keep(const Vector<T>& v, T rest) const { return part.keep(v, rest); }
};
template <class T>
using WholeVector = RowVector<T, AllLanes<T>>;
template <class T>
using LastVector = RowVector<T, FirstLanes<T>>;

/// Calls f(vector) for the vectors of a row of n elements.
template <class T, class F>
inline void for_vectors(std::int64_t n, F&& f) {
  std::int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) f(WholeVector<T>{i});
  if (i < n) f(LastVector<T>{i, FirstLanes<T>(n - i)});
}

/// Folds elements [begin, end) of a row by value = step(value, vector), on four chains so that latency does not show,
/// which join. A step must leave the lanes past the end as they are: `keep` puts the identity there.
template <class T, class Value, class Step, class Join>
inline Value fold_vectors(std::int64_t begin, std::int64_t end, Value identity, Step&& step, Join&& join) {
  std::int64_t i = begin;
  Value a = identity;
  if (i + 4 * lanes<T> <= end) {
    Value b = a, c = a, d = a;
    for (; i + 4 * lanes<T> <= end; i += 4 * lanes<T>) {
      a = step(a, WholeVector<T>{i});
      b = step(b, WholeVector<T>{i + lanes<T>});
      c = step(c, WholeVector<T>{i + 2 * lanes<T>});
      d = step(d, WholeVector<T>{i + 3 * lanes<T>});
    }
    a = join(join(a, b), join(c, d));
  }
  for (; i + lanes<T> <= end; i += lanes<T>) a = step(a, WholeVector<T>{i});
  if (i < end) a = step(a, LastVector<T>{i, FirstLanes<T>(end - i)});
  return a;
}

template <class T, class Join>
inline T fold_lanes(Vector<T> v, Join&& join) {
  alignas(64) T part[lanes<T>];
  v.store_aligned(part);
  for (std::int64_t half = lanes<T> / 2; half > 0; half /= 2)
    for (std::int64_t k = 0; k < half; ++k) part[k] = join(part[k], part[k + half]);
  return part[0];
}

template <class T>
inline T largest_lane(Vector<T> v) {
#ifdef __AVX512F__
  if constexpr (sizeof(T) == 4) {
    return _mm512_reduce_max_ps(v);
  } else {
    return _mm512_reduce_max_pd(v);
  }
#else
  return fold_lanes(v, [](T a, T b) { return a > b ? a : b; });
#endif
}

/// Largest value of a row, NaNs not looked at; -inf if there is none.
template <class T>
inline T row_max(const T* x, std::int64_t n) {
  constexpr T least = -std::numeric_limits<T>::infinity();
  return largest_lane<T>(fold_vectors<T>(
      0, n, Vector<T>(least), [x](const Vector<T>& a, auto v) { return xsimd::max(v.keep(v.load(x), least), a); },
      [](const Vector<T>& a, const Vector<T>& b) { return xsimd::max(b, a); }));
}

/// Sum over a row by sum = step(sum, vector): in T over blocks in which each lane of the four chains adds 128 times, in
/// double between.
template <class T, class Step>
inline double row_sum_by(std::int64_t n, Step&& step) {
  constexpr std::int64_t block = 128 * 4 * lanes<T>;
  double sum = 0;
  for (std::int64_t begin = 0; begin < n; begin += block) {
    const std::int64_t end = n - begin > block ? begin + block : n;
    sum += static_cast<double>(xsimd::hadd(fold_vectors<T>(
        begin, end, Vector<T>(T{0}), step, [](const Vector<T>& a, const Vector<T>& b) { return a + b; })));
  }
  return sum;
}

/// Sum of f(vector).
template <class T, class F>
inline double row_sum(std::int64_t n, F&& f) {
  return row_sum_by<T>(n, [&f](const Vector<T>& sum, auto v) { return sum + v.keep(f(v), T{0}); });
}

/// Sum of f(vector) * g(vector).
template <class T, class F, class G>
inline double row_dot(std::int64_t n, F&& f, G&& g) {
  return row_sum_by<T>(
      n, [&](const Vector<T>& sum, auto v) { return xsimd::fma(v.keep(f(v), T{0}), v.keep(g(v), T{0}), sum); });
}

}  // namespace weft::detail

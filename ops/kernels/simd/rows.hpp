#pragma once
// SIMD over one row of f32 or f64: whole vectors, then one partial vector, written as a single generic lambda.
#include <weft/ops/kernels/simd/vector.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

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

/// Folds elements [begin, end) of a row by value = step(value, vector), on as many chains, which join, as hide latency
/// and fit the registers. A step must leave the lanes past the end as they are: `keep` puts the identity there.
template <class T, class Value, class Step, class Join>
inline Value fold_vectors(std::int64_t begin, std::int64_t end, Value identity, Step&& step, Join&& join) {
#ifdef __AVX512F__
  constexpr int registers = 32;
#else
  constexpr int registers = 16;
#endif
  constexpr int chains = 2 * 8 * sizeof(Value) <= registers * sizeof(Vector<T>) ? 8 : 4;
  std::int64_t i = begin;
  Value a = identity;
  if (i + chains * lanes<T> <= end) {
    Value chain[chains];
    std::fill_n(chain, chains, identity);
    for (; i + chains * lanes<T> <= end; i += chains * lanes<T>)
      for (int c = 0; c < chains; ++c) chain[c] = step(chain[c], WholeVector<T>{i + c * lanes<T>});
    for (int half = chains / 2; half > 0; half /= 2)
      for (int c = 0; c < half; ++c) chain[c] = join(chain[c], chain[c + half]);
    a = chain[0];
  }
  for (; i + lanes<T> <= end; i += lanes<T>) a = step(a, WholeVector<T>{i});
  if (i < end) a = step(a, LastVector<T>{i, FirstLanes<T>(end - i)});
  return a;
}

/// Lane i holds what lane i + by held, from the first again past the last.
template <int by, class T, int... lane>
inline Vector<T> rotated(const Vector<T>& v, std::integer_sequence<int, lane...>) {
  const typename Vector<T>::register_type native = v;
  return Vector<T>(__builtin_shufflevector(native, native, ((lane + by) % static_cast<int>(sizeof...(lane)))...));
}

/// The lanes joined: join(vector, vector) of halves, of quarters, and so on.
template <class T, class Join, int half = static_cast<int>(lanes<T>) / 2>
inline T fold_lanes(const Vector<T>& v, Join&& join) {
  if constexpr (half == 0) {
    return v.get(0);
  } else {
    return fold_lanes<T, Join, half / 2>(
        join(v, rotated<half, T>(v, std::make_integer_sequence<int, static_cast<int>(lanes<T>)>{})),
        std::forward<Join>(join));
  }
}

/// Largest value of a row, NaNs not looked at; -inf if there is none.
template <class T>
inline T row_max(const T* x, std::int64_t n) {
  constexpr T least = -std::numeric_limits<T>::infinity();
  const auto join = [](const Vector<T>& a, const Vector<T>& b) { return xsimd::max(b, a); };
  return fold_lanes<T>(fold_vectors<T>(
                           0, n, Vector<T>(least),
                           [x](const Vector<T>& a, auto v) { return xsimd::max(v.keep(v.load(x), least), a); }, join),
                       join);
}

/// Sum over a row by sum = step(sum, vector): in T over blocks in which each lane of the eight chains adds 64 times, in
/// double between.
template <class T, class Step>
inline double row_sum_by(std::int64_t n, Step&& step) {
  constexpr std::int64_t block = 64 * 8 * lanes<T>;
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

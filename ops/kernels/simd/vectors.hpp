#pragma once
// SIMD over one row of f32 or f64: whole vectors, then one partial vector, written as a single generic lambda.
#include <cmath>
#include <cstdint>
#include <limits>
#include <xsimd/xsimd.hpp>

// For loops over plain scalars whose iterations are independent: the compiler need not prove it.
#if defined(__clang__)
#define WEFT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define WEFT_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace weft::detail {

template <class T>
using Batch = xsimd::batch<T>;

template <class T>
inline constexpr std::int64_t lanes = static_cast<std::int64_t>(Batch<T>::size);

/// Elements [i, i + lanes) of a row.
template <class T>
struct WholeVector {
  std::int64_t i;

  Batch<T> load(const T* row) const { return xsimd::load_unaligned(row + i); }
  void store(T* row, Batch<T> v) const { v.store_unaligned(row + i); }
  Batch<T> keep(Batch<T> v, T) const { return v; }
};

/// The last elements [i, i + count) of a row, count < lanes. Loads put 0 in the lanes past the end.
template <class T>
struct PartVector {
  std::int64_t i;
  std::int64_t count;

#ifdef __AVX512F__
  auto mask() const { return static_cast<std::uint32_t>((1U << static_cast<unsigned>(count)) - 1U); }
  Batch<T> load(const T* row) const {
    if constexpr (sizeof(T) == 4) {
      return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask()), row + i);
    } else {
      return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask()), row + i);
    }
  }
  void store(T* row, Batch<T> v) const {
    if constexpr (sizeof(T) == 4) {
      _mm512_mask_storeu_ps(row + i, static_cast<__mmask16>(mask()), v);
    } else {
      _mm512_mask_storeu_pd(row + i, static_cast<__mmask8>(mask()), v);
    }
  }
  /// v in the lanes of the row, `rest` in those past the end.
  Batch<T> keep(Batch<T> v, T rest) const {
    if constexpr (sizeof(T) == 4) {
      return _mm512_mask_blend_ps(static_cast<__mmask16>(mask()), _mm512_set1_ps(rest), v);
    } else {
      return _mm512_mask_blend_pd(static_cast<__mmask8>(mask()), _mm512_set1_pd(rest), v);
    }
  }
#else
  Batch<T> load(const T* row) const {
    alignas(64) T part[lanes<T>] = {};
    for (std::int64_t k = 0; k < count; ++k) part[k] = row[i + k];
    return xsimd::load_aligned(part);
  }
  void store(T* row, Batch<T> v) const {
    alignas(64) T part[lanes<T>];
    v.store_aligned(part);
    for (std::int64_t k = 0; k < count; ++k) row[i + k] = part[k];
  }
  /// v in the lanes of the row, `rest` in those past the end.
  Batch<T> keep(Batch<T> v, T rest) const {
    alignas(64) T part[lanes<T>];
    v.store_aligned(part);
    for (std::int64_t k = count; k < lanes<T>; ++k) part[k] = rest;
    return xsimd::load_aligned(part);
  }
#endif
};

/// Calls f(vector) for the vectors of a row of n elements.
template <class T, class F>
inline void for_vectors(std::int64_t n, F&& f) {
  std::int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) f(WholeVector<T>{i});
  if (i < n) f(PartVector<T>{i, n - i});
}

/// Folds f(vector) over elements [begin, end) of a row, on four chains so that latency does not show. What f makes of
/// the lanes past the end must leave a fold as it is: `keep` puts the identity there.
template <class T, class Value, class F, class Join>
inline Value fold_vectors(std::int64_t begin, std::int64_t end, Value identity, F&& f, Join&& join) {
  std::int64_t i = begin;
  Value a = identity;
  if (i + 4 * lanes<T> <= end) {
    Value b = a, c = a, d = a;
    for (; i + 4 * lanes<T> <= end; i += 4 * lanes<T>) {
      a = join(a, f(WholeVector<T>{i}));
      b = join(b, f(WholeVector<T>{i + lanes<T>}));
      c = join(c, f(WholeVector<T>{i + 2 * lanes<T>}));
      d = join(d, f(WholeVector<T>{i + 3 * lanes<T>}));
    }
    a = join(join(a, b), join(c, d));
  }
  for (; i + lanes<T> <= end; i += lanes<T>) a = join(a, f(WholeVector<T>{i}));
  if (i < end) a = join(a, f(PartVector<T>{i, end - i}));
  return a;
}

template <class T, class Join>
inline T fold_lanes(Batch<T> v, Join&& join) {
  alignas(64) T part[lanes<T>];
  v.store_aligned(part);
  for (std::int64_t half = lanes<T> / 2; half > 0; half /= 2)
    for (std::int64_t k = 0; k < half; ++k) part[k] = join(part[k], part[k + half]);
  return part[0];
}

template <class T>
inline T largest_lane(Batch<T> v) {
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
      0, n, Batch<T>(least), [x](auto v) { return v.keep(v.load(x), least); },
      [](const Batch<T>& a, const Batch<T>& b) { return xsimd::max(b, a); }));
}

/// Sum of f(vector) over a row: in T over blocks in which each lane of the four chains adds 128 times, in double
/// between.
template <class T, class F>
inline double row_sum(std::int64_t n, F&& f) {
  constexpr std::int64_t block = 128 * 4 * lanes<T>;
  double sum = 0;
  for (std::int64_t begin = 0; begin < n; begin += block) {
    const std::int64_t end = n - begin > block ? begin + block : n;
    sum += static_cast<double>(xsimd::hadd(fold_vectors<T>(
        begin, end, Batch<T>(T{0}), [&f](auto v) { return v.keep(f(v), T{0}); },
        [](const Batch<T>& a, const Batch<T>& b) { return a + b; })));
  }
  return sum;
}

}  // namespace weft::detail

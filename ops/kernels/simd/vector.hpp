#pragma once
// The words for SIMD: a vector is a register of f32 or f64, lanes are its elements.
#include <weft/engine/detail/xsimd.hpp>

#include <cstdint>
#include <type_traits>

// For loops over plain scalars whose iterations are independent: the compiler need not prove it.
#if defined(__clang__)
#define WEFT_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define WEFT_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace weft::detail {

template <class T>
using Vector = xsimd::batch<T>;

template <class T>
inline constexpr std::int64_t lanes = static_cast<std::int64_t>(Vector<T>::size);

/// Every lane: what FirstLanes is where all of them exist.
template <class T>
struct AllLanes {
  Vector<T> load(const T* p) const { return Vector<T>::load_unaligned(p); }
  void store(T* p, const Vector<T>& v) const { v.store_unaligned(p); }
  Vector<T> keep(const Vector<T>& v, T) const { return v; }
};

/// The first `count` lanes, at most all: the others are neither read nor written, and loads put 0 there. `keep` has v
/// in the first, `rest` in the others.
template <class T>
class FirstLanes {
#if defined(__AVX512F__)
 public:
  explicit FirstLanes(std::int64_t count) : mask_(static_cast<Mask>((1U << count) - 1)) {}
  Vector<T> load(const T* p) const {
    if constexpr (sizeof(T) == 4) {
      return _mm512_maskz_loadu_ps(mask_, p);
    } else {
      return _mm512_maskz_loadu_pd(mask_, p);
    }
  }
  void store(T* p, const Vector<T>& v) const {
    if constexpr (sizeof(T) == 4) {
      _mm512_mask_storeu_ps(p, mask_, v);
    } else {
      _mm512_mask_storeu_pd(p, mask_, v);
    }
  }
  Vector<T> keep(const Vector<T>& v, T rest) const {
    if constexpr (sizeof(T) == 4) {
      return _mm512_mask_blend_ps(mask_, _mm512_set1_ps(rest), v);
    } else {
      return _mm512_mask_blend_pd(mask_, _mm512_set1_pd(rest), v);
    }
  }

 private:
  using Mask = std::conditional_t<sizeof(T) == 4, __mmask16, __mmask8>;
  Mask mask_;
#elif defined(__AVX2__)
 public:
  explicit FirstLanes(std::int64_t count) : count_(count) {
    if constexpr (sizeof(T) == 4) {
      mask_ = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    } else {
      mask_ = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
    }
  }
  Vector<T> load(const T* p) const {
    if constexpr (sizeof(T) == 4) {
      return _mm256_maskload_ps(p, mask_);
    } else {
      return _mm256_maskload_pd(p, mask_);
    }
  }
  // By halves: AMD's processors spend some twenty cycles on a masked store.
  void store(T* p, const Vector<T>& v) const {
    if (count_ == lanes<T>) return v.store_unaligned(p);
    if constexpr (sizeof(T) == 4) {
      __m128 part = _mm256_castps256_ps128(v);
      if ((count_ & 4) != 0) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
      }
      if ((count_ & 2) != 0) {
        _mm_storel_pi(reinterpret_cast<__m64*>(p), part);
        part = _mm_movehl_ps(part, part);
        p += 2;
      }
      if ((count_ & 1) != 0) _mm_store_ss(p, part);
    } else {
      __m128d part = _mm256_castpd256_pd128(v);
      if ((count_ & 2) != 0) {
        _mm_storeu_pd(p, part);
        part = _mm256_extractf128_pd(v, 1);
        p += 2;
      }
      if ((count_ & 1) != 0) _mm_store_sd(p, part);
    }
  }
  Vector<T> keep(const Vector<T>& v, T rest) const {
    if constexpr (sizeof(T) == 4) {
      return _mm256_blendv_ps(_mm256_set1_ps(rest), v, _mm256_castsi256_ps(mask_));
    } else {
      return _mm256_blendv_pd(_mm256_set1_pd(rest), v, _mm256_castsi256_pd(mask_));
    }
  }

 private:
  std::int64_t count_;
  __m256i mask_;
#else
 public:
  explicit FirstLanes(std::int64_t count) : count_(count) {}
  Vector<T> load(const T* p) const {
    if (count_ == lanes<T>) return Vector<T>::load_unaligned(p);
    alignas(64) T part[lanes<T>] = {};
    for (std::int64_t k = 0; k < count_; ++k) part[k] = p[k];
    return Vector<T>::load_aligned(part);
  }
  void store(T* p, const Vector<T>& v) const {
    if (count_ == lanes<T>) return v.store_unaligned(p);
    alignas(64) T part[lanes<T>];
    v.store_aligned(part);
    for (std::int64_t k = 0; k < count_; ++k) p[k] = part[k];
  }
  Vector<T> keep(const Vector<T>& v, T rest) const {
    alignas(64) T part[lanes<T>];
    v.store_aligned(part);
    for (std::int64_t k = count_; k < lanes<T>; ++k) part[k] = rest;
    return Vector<T>::load_aligned(part);
  }

 private:
  std::int64_t count_;
#endif
};

}  // namespace weft::detail

#pragma once
// xsimd, and what makes 8.1 compile where nothing is optimised.
// xsimd 8.1 has no fused multiply-add for AVX-512: a product and a sum, rounded twice, unless the compiler joins them.
// Its own functions are made of these too, so what is missing is put where they look for it: before they are defined.
#ifdef __AVX512F__
#define XSIMD_NO_DISCARD __attribute__((warn_unused_result))  // as <xsimd/xsimd.hpp> has it
#include <xsimd/types/xsimd_batch.hpp>

namespace xsimd::kernel {

template <class A>
inline batch<float, A> fma(const batch<float, A>& x, const batch<float, A>& y, const batch<float, A>& z,
                           requires_arch<avx512f>) noexcept {
  return _mm512_fmadd_ps(x, y, z);
}
template <class A>
inline batch<double, A> fma(const batch<double, A>& x, const batch<double, A>& y, const batch<double, A>& z,
                            requires_arch<avx512f>) noexcept {
  return _mm512_fmadd_pd(x, y, z);
}
template <class A>
inline batch<float, A> fms(const batch<float, A>& x, const batch<float, A>& y, const batch<float, A>& z,
                           requires_arch<avx512f>) noexcept {
  return _mm512_fmsub_ps(x, y, z);
}
template <class A>
inline batch<double, A> fms(const batch<double, A>& x, const batch<double, A>& y, const batch<double, A>& z,
                            requires_arch<avx512f>) noexcept {
  return _mm512_fmsub_pd(x, y, z);
}
template <class A>
inline batch<float, A> fnma(const batch<float, A>& x, const batch<float, A>& y, const batch<float, A>& z,
                            requires_arch<avx512f>) noexcept {
  return _mm512_fnmadd_ps(x, y, z);
}
template <class A>
inline batch<double, A> fnma(const batch<double, A>& x, const batch<double, A>& y, const batch<double, A>& z,
                             requires_arch<avx512f>) noexcept {
  return _mm512_fnmadd_pd(x, y, z);
}
template <class A>
inline batch<float, A> fnms(const batch<float, A>& x, const batch<float, A>& y, const batch<float, A>& z,
                            requires_arch<avx512f>) noexcept {
  return _mm512_fnmsub_ps(x, y, z);
}
template <class A>
inline batch<double, A> fnms(const batch<double, A>& x, const batch<double, A>& y, const batch<double, A>& z,
                             requires_arch<avx512f>) noexcept {
  return _mm512_fnmsub_pd(x, y, z);
}

}  // namespace xsimd::kernel
#endif

#include <xsimd/xsimd.hpp>

namespace xsimd::kernel {

#ifdef __AVX512BW__
// The general definition names the instructions for bytes and shorts too, for every T. Without optimisation GCC has
// macros for these, which refuse a batch. xsimd's own logarithms use it.
template <>
inline batch<std::int32_t, avx512bw> select(const batch_bool<std::int32_t, avx512bw>& mask,
                                            const batch<std::int32_t, avx512bw>& a,
                                            const batch<std::int32_t, avx512bw>& b, requires_arch<avx512bw>) noexcept {
  return _mm512_mask_blend_epi32(mask, b, a);
}
template <>
inline batch<std::int64_t, avx512bw> select(const batch_bool<std::int64_t, avx512bw>& mask,
                                            const batch<std::int64_t, avx512bw>& a,
                                            const batch<std::int64_t, avx512bw>& b, requires_arch<avx512bw>) noexcept {
  return _mm512_mask_blend_epi64(mask, b, a);
}
#endif

}  // namespace xsimd::kernel

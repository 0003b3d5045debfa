#pragma once
// xsimd, and what makes 8.1 compile where nothing is optimised.
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

#pragma once
// Stores past the caches, for results that would not stay there.
#include <weft/ops/kernels/simd/vector.hpp>

#include <cstdint>

namespace weft::detail {

/// Whether a pass over that many bytes, read and written, is to write past the caches. A stored line is otherwise read
/// first and drives out another. The bound is from measurement: below it, who reads the result next would miss it.
constexpr bool is_streamed(std::int64_t bytes) { return bytes >= (20 << 20); }

/// Writes whole vectors, to an aligned place; followed by end_of_stream() before others may read them.
template <class T>
inline void stream(T* to, const Vector<T>& v) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), xsimd::bitwise_cast<xsimd::batch<std::int64_t>>(v));
#elif defined(__AVX__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), xsimd::bitwise_cast<xsimd::batch<std::int64_t>>(v));
#elif defined(__SSE2__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(to), xsimd::bitwise_cast<xsimd::batch<std::int64_t>>(v));
#else
  v.store_aligned(to);
#endif
}
inline void end_of_stream() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace weft::detail

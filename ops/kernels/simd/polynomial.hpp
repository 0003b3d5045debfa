#pragma once
// What functions of a register are made of: polynomials, and powers of two by their bits.
#include <weft/ops/kernels/simd/vector.hpp>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace weft::detail {

/// c[0] + c[1] x + c[2] x^2 + ...
template <class T, std::size_t N>
inline Vector<T> polynomial(const T (&c)[N], const Vector<T>& x) {
  Vector<T> p(c[N - 1]);
  for (std::size_t k = N - 1; k-- > 0;) p = xsimd::fma(p, x, Vector<T>(c[k]));
  return p;
}

/// The same as even powers + x odd powers: half as many steps that wait for one another, one rounding more.
template <class T, std::size_t N>
inline Vector<T> polynomial_in_halves(const T (&c)[N], const Vector<T>& x) {
  static_assert(N % 2 == 1);
  const Vector<T> square = x * x;
  Vector<T> even(c[N - 1]), odd(c[N - 2]);
  for (std::size_t k = N - 1; k >= 2; k -= 2) {
    even = xsimd::fma(even, square, Vector<T>(c[k - 2]));
    if (k > 2) odd = xsimd::fma(odd, square, Vector<T>(c[k - 3]));
  }
  return xsimd::fma(odd, x, even);
}

/// Added to a whole number, 1.5 * 2^(digits - 1) rounds to whole numbers and leaves them in the lowest bits.
template <class T>
inline constexpr T whole_magic = sizeof(T) == 4 ? T(12582912) : T(6755399441055744);

template <class T>
using BitsOf = Vector<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;

/// x 2^n for whole n, rounded once, also where 2^n alone is beyond the range; shifted is n + whole_magic.
template <class T>
inline Vector<T> scaled(const Vector<T>& x, const Vector<T>& shifted) {
#ifdef __AVX512F__
  const Vector<T> n = shifted - Vector<T>(whole_magic<T>);
  if constexpr (sizeof(T) == 4) {
    return _mm512_scalef_ps(x, n);
  } else {
    return _mm512_scalef_pd(x, n);
  }
#else
  constexpr int digits = std::numeric_limits<T>::digits - 1;
  using Bits = BitsOf<T>;
  const Bits one = xsimd::bitwise_cast<Bits>(Vector<T>(T{1}));
  const auto power = [&](const Bits& k) { return xsimd::bitwise_cast<Vector<T>>((k << digits) + one); };
  // In two factors. What whole_magic leaves above the lowest bits is shifted out.
  const Bits k = xsimd::bitwise_cast<Bits>(shifted), half = k >> 1;
  return x * power(half) * power(k - half);
#endif
}

}  // namespace weft::detail

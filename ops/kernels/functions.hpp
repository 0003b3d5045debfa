#pragma once
// exp and erf of a register of f32, where xsimd's cost more than the accuracy of the type needs; f64 is left to xsimd.
#include <xsimd/xsimd.hpp>

namespace weft::detail {

/// c[0] + c[1] x + c[2] x^2 + ...
template <class T, std::size_t N>
inline xsimd::batch<T> polynomial(const T (&c)[N], const xsimd::batch<T>& x) {
  xsimd::batch<T> p(c[N - 1]);
  for (std::size_t k = N - 1; k-- > 0;) p = xsimd::fma(p, x, xsimd::batch<T>(c[k]));
  return p;
}

/// In f32 to 2e-7 of the value, in half the instructions of xsimd's where the processor scales by powers of two.
template <class T>
inline xsimd::batch<T> exponential(const xsimd::batch<T>& x) {
#ifdef __AVX512F__
  if constexpr (sizeof(T) == 4) {
    // The bounds are far beyond where the result is 0 or infinite; NaN passes them, being the second operand.
    const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-200.0F), _mm512_min_ps(_mm512_set1_ps(200.0F), x));
    // Adding 1.5 * 2^23 rounds to the nearest whole number of doublings.
    const __m512 magic = _mm512_set1_ps(12582912.0F);
    const __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(bounded, _mm512_set1_ps(1.44269504F), magic), magic);
    const __m512 near = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693147182F), bounded);  // log 2 in two parts
    const xsimd::batch<T> rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(-1.90465430e-9F), near);
    // Least largest relative error on [-log(2) / 2, log(2) / 2] with the first three coefficients exact.
    static constexpr T c[] = {1, 1, 0.5F, 1.6666277e-1F, 4.1665401e-2F, 8.3955629e-3F, 1.3997796e-3F};
    return _mm512_scalef_ps(polynomial(c, rest), n);
  }
#endif
  return xsimd::exp(x);
}

/// In f32 to 3e-7 of the value: erf(x) = x p(x^2) up to 3.85, with p fitted for the least largest relative error, and
/// +-1 beyond, which is what it rounds to.
template <class T>
inline xsimd::batch<T> error_function(const xsimd::batch<T>& x) {
  if constexpr (sizeof(T) == 4) {
    using B = xsimd::batch<T>;
    static constexpr T end = 3.85F;
    // In powers of u = 2 (x / end)^2 - 1, which lies in [-1, 1], so that rounding does not add up.
    static constexpr T c[] = {3.672848162e-01F, -1.833018642e-01F, 1.362119289e-01F, -1.103706975e-01F,
                              9.081058658e-02F, -7.335086314e-02F, 5.647152239e-02F, -4.026445084e-02F,
                              2.809981288e-02F, -2.046418766e-02F, 1.147739866e-02F, -3.166883653e-03F,
                              2.304773889e-03F, -3.400455111e-03F, 1.398830634e-03F};
    const B u = xsimd::fma(x * x, B(2 / (end * end)), B(T{-1}));
    return xsimd::select(xsimd::abs(x) >= B(end), xsimd::copysign(B(T{1}), x), x * polynomial(c, u));
  } else {
    return xsimd::erf(x);
  }
}

}  // namespace weft::detail

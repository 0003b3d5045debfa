#pragma once
// Functions of a register of f32 or f64 that xsimd has not, or has slower, or wrong at the ends of the range. No lane's
// result depends on the others'.
#include <weft/ops/kernels/simd/vector.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
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

/// exp(x), to 2e-7 of the value in f32 and 2e-16 in f64; less than the smallest normal value to its last digit.
template <class T>
inline Vector<T> exponential(const Vector<T>& x) {
  using B = Vector<T>;
  constexpr bool single = sizeof(T) == 4;
  // The bounds lie where the result is 0 or infinite; NaN passes them, being the second operand.
  const B bounded = xsimd::max(B(single ? T(-104) : T(-746)), xsimd::min(B(single ? T(89) : T(710)), x));
  // The nearest whole number of doublings.
  const B shifted = xsimd::fma(bounded, B(T(1.4426950408889634)), B(whole_magic<T>));
  const B n = shifted - B(whole_magic<T>);
  // log 2 in two parts, the first so short that its product with n is exact.
  const B near = xsimd::fnma(n, B(single ? T(0.693359375) : T(6.93147180369123816490e-01)), bounded);
  const B rest = xsimd::fnma(n, B(single ? T(-2.12194440e-4) : T(1.90821492927058770002e-10)), near);
  // Least largest relative error on [-log(2) / 2, log(2) / 2] with the first three coefficients exact.
  if constexpr (single) {
    static constexpr T c[] = {1, 1, 0.5F, 1.6666277e-1F, 4.1665401e-2F, 8.3955629e-3F, 1.3997796e-3F};
    return scaled(polynomial(c, rest), shifted);
  } else {
    static constexpr T c[] = {1,
                              1,
                              0.5,
                              0.16666666666666669,
                              0.041666666666666664,
                              0.00833333333333006,
                              0.001388888888888655,
                              0.00019841269863066696,
                              2.480158731715384e-05,
                              2.7557268439678e-06,
                              2.7557282955039673e-07,
                              2.5100395159429243e-08,
                              2.091124353145679e-09};
    return scaled(polynomial(c, rest), shifted);
  }
}

/// log(x). xsimd's loses the exponent of f64 below the smallest normal number: those are taken 2^54 times as large.
template <class T>
inline Vector<T> logarithm(const Vector<T>& x) {
  if constexpr (sizeof(T) == 8) {
    using B = Vector<T>;
    const auto tiny = x < B(std::numeric_limits<T>::min());
    if (xsimd::any(tiny))
      return xsimd::log(xsimd::select(tiny, x * B(0x1p54), x)) - xsimd::select(tiny, B(54 * std::numbers::ln2), B(0.0));
  }
  return xsimd::log(x);
}

/// log(1 + x); xsimd's makes 0 of -0.
template <class T>
inline Vector<T> logarithm_1p(const Vector<T>& x) {
  return xsimd::select(x == Vector<T>(T{0}), x, xsimd::log1p(x));
}

/// sin(x), or cos(x): to two and a half units in the last place everywhere. xsimd's are as good, but which of several
/// reductions to a quarter turn a lane gets hangs on its neighbours.
template <bool cosine, class T>
inline Vector<T> wave(const Vector<T>& x) {
  using B = Vector<T>;
  constexpr bool single = sizeof(T) == 4;
  const B size = xsimd::abs(x), n = xsimd::nearbyint(size * B(T(0.63661977236758134)));
  // A quarter turn in parts so short that their products with n are exact; up to 2^16 (f64: 2^20) of them.
  static constexpr T quarter[] = {
      single ? T(1.5703125) : T(0x1.921fb54400000p+0), single ? T(0x1.fap-12) : T(0x1.0b4611a600000p-34),
      single ? T(0x1.54p-20) : T(0x1.3198a2e000000p-69), single ? T(0x1.10b4611a62633p-30) : T(0x1.b839a252p-104)};
  B r = size;
  for (const T part : quarter) r = xsimd::fnma(n, B(part), r);
  // Cephes' coefficients (f32), fdlibm's (f64).
  const B z = r * r;
  B s, c;
  if constexpr (single) {
    static constexpr T sines[] = {-1.6666654611e-1F, 8.3321608736e-3F, -1.9515295891e-4F};
    static constexpr T cosines[] = {4.166664568298827e-2F, -1.388731625493765e-3F, 2.443315711809948e-5F};
    s = polynomial(sines, z), c = polynomial(cosines, z);
  } else {
    static constexpr T sines[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,  -1.98412698298579493134e-04,
                                  2.75573137070700676789e-06,  -2.50507602534068634195e-08, 1.58969099521155010221e-10};
    static constexpr T cosines[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03,
                                    2.48015872894767294178e-05, -2.75573143513906633035e-07,
                                    2.08757232129817482790e-09, -1.13596475577881948265e-11};
    s = polynomial(sines, z), c = polynomial(cosines, z);
  }
  s = xsimd::fma(s * z, r, r);
  c = xsimd::fma(c * z, z, xsimd::fnma(B(T{0.5}), z, B(T{1})));
  // Which of the two, and its sign, by the number of quarter turns: sine, cosine, -sine, -cosine, and round again.
  const B turns = (cosine ? n + B(T{1}) : n) * B(T{0.5}), pairs = xsimd::floor(turns), fours = pairs * B(T{0.5});
  const B either = xsimd::select(pairs == turns, s, c);
  B result = xsimd::select(xsimd::floor(fours) == fours, either, -either);
  if constexpr (!cosine) result = result ^ xsimd::bitofsign(x);
  const auto near = n <= B(single ? T(0x1p16) : T(0x1p20));
  if (!xsimd::all(near)) {
    alignas(64) T in[B::size], out[B::size];
    x.store_aligned(in);
    result.store_aligned(out);
    for (std::size_t i = 0; i < B::size; ++i)
      if (!near.get(i)) out[i] = cosine ? std::cos(in[i]) : std::sin(in[i]);
    result = B::load_aligned(out);
  }
  return result;
}

/// x y + z rounded once wherever the processor can; xsimd's rounds the product on AVX-512.
inline Vector<double> fused_add(const Vector<double>& x, const Vector<double>& y, const Vector<double>& z) {
#ifdef __AVX512F__
  return _mm512_fmadd_pd(x, y, z);
#else
  return xsimd::fma(x, y, z);
#endif
}

/// log(x) of positive finite numbers as a sum of two parts, good for some 60 bits.
struct LongLogarithm {
  using B = Vector<double>;
  B high, low;

  explicit LongLogarithm(const B& x) {
    const auto tiny = x < B(std::numeric_limits<double>::min());
    using Bits = BitsOf<double>;
    // x = m 2^e with m between the roots of 1/2 and 2.
    const Bits root(0x3fe6a09e667f3bcdU), one(0x3ff0000000000000U), mantissa(0x000fffffffffffffU);
    const Bits bits = xsimd::bitwise_cast<Bits>(xsimd::select(tiny, x * B(0x1p54), x)) + (one - root);
    const B m = xsimd::bitwise_cast<B>((bits & mantissa) + root);
    const B biased = xsimd::bitwise_cast<B>((bits >> 52) | xsimd::bitwise_cast<Bits>(B(0x1p52)));
    const B e = biased - xsimd::select(tiny, B(0x1p52 + 1023 + 54), B(0x1p52 + 1023));
    // log(m) = 2 s + s^3 (2/3 + 2/5 s^2 + ...) with s = (m - 1) / (m + 1), the first term to twice the digits.
    const B f = m - B(1.0), g = m + B(1.0), s = f / g;
    const B rest = (fused_add(-s, g, f) - s * (m - (g - B(1.0)))) / g;
    static constexpr double c[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                                   2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                                   1.479819860511658591e-01};  // fdlibm's
    const B z = s * s, tail = s * z * polynomial(c, z);
    // log 2 in two parts, the first so short that its product with e is exact.
    const B whole = e * B(6.93147180369123816490e-01), part = s + s;
    high = whole + part;
    low = (whole - high) + part + (xsimd::fma(e, B(1.90821492927058770002e-10), rest + rest) + tail);
    // The larger part rounded once more: what follows multiplies it by large exponents.
    const B sum = high + low;
    low = (high - sum) + low;
    high = sum;
  }
};

/// x^y as exp(y log|x|) with the sign put back, for finite x and y other than 0.
inline Vector<double> finite_power(const Vector<double>& x, const Vector<double>& y) {
  using B = Vector<double>;
  const LongLogarithm log(xsimd::abs(x));
  // Within bounds beyond which the result is 0 or infinite for all x but 1, so that no part overflows.
  const B bounded = xsimd::max(B(-1e300), xsimd::min(B(1e300), y));
  const B high = bounded * log.high, low = fused_add(bounded, log.low, fused_add(bounded, log.high, -high));
  const B first = exponential(high);
  const B size =
      xsimd::select(first < B(std::numeric_limits<double>::infinity()), xsimd::fma(first, low, first), first);
  const B half = y * B(0.5);
  const B odd = xsimd::select(xsimd::trunc(half) == half, size, size ^ B(-0.0));
  const B negative = xsimd::select(xsimd::trunc(y) == y, odd, B(std::numeric_limits<double>::quiet_NaN()));
  return xsimd::select(x < B(0.0), negative, size);
}

/// In f32 to 3.2e-7 of the value: erf(x) = x p(x^2) up to 3.85, with p fitted for the least largest relative error, and
/// +-1 beyond, which is what it rounds to. In f64 xsimd's, which makes NaN of the square of large numbers.
template <class T>
inline Vector<T> error_function(const Vector<T>& x) {
  using B = Vector<T>;
  if constexpr (sizeof(T) == 4) {
    static constexpr T end = 3.85F;
    // In powers of u = 2 (x / end)^2 - 1, which lies in [-1, 1], so that rounding does not add up.
    static constexpr T first[] = {3.672848162e-01F, -1.833018642e-01F};
    static constexpr T rest[] = {1.362119289e-01F, -1.103706975e-01F, 9.081058658e-02F, -7.335086314e-02F,
                                 5.647152239e-02F, -4.026445084e-02F, 2.809981288e-02F, -2.046418766e-02F,
                                 1.147739866e-02F, -3.166883653e-03F, 2.304773889e-03F, -3.400455111e-03F,
                                 1.398830634e-03F};
    const B u = xsimd::fma(x * x, B(2 / (end * end)), B(T{-1}));
    // The large terms last and one by one: halves would cancel in them.
    const B p = xsimd::fma(xsimd::fma(polynomial_in_halves(rest, u), u, B(first[1])), u, B(first[0]));
    return xsimd::select(xsimd::abs(x) >= B(end), xsimd::copysign(B(T{1}), x), x * p);
  } else {
    return xsimd::erf(xsimd::max(B(T{-6}), xsimd::min(B(T{6}), x)));  // beyond 6 it rounds to +-1; NaN passes
  }
}

}  // namespace weft::detail

#pragma once
// Logarithms, and what is made of them: powers, and the inverses of the hyperbolic functions.
#include <weft/ops/kernels/simd/exponential.hpp>

#include <limits>
#include <numbers>

namespace weft::detail {

/// One of xsimd's logarithms, of which two() is that of two. They lose the exponent of f64 below the smallest normal
/// number: those are taken 2^54 times as large.
template <class T, class F>
inline Vector<T> logarithm_of_any_size(const Vector<T>& x, double two, F log) {
  if constexpr (sizeof(T) == 8) {
    using B = Vector<T>;
    const auto tiny = x < B(std::numeric_limits<T>::min());
    if (xsimd::any(tiny)) return log(xsimd::select(tiny, x * B(0x1p54), x)) - xsimd::select(tiny, B(54 * two), B(0.0));
  }
  return log(x);
}
template <class T>
inline Vector<T> logarithm(const Vector<T>& x) {
  return logarithm_of_any_size(x, std::numbers::ln2, [](const Vector<T>& v) { return xsimd::log(v); });
}
template <class T>
inline Vector<T> logarithm_2(const Vector<T>& x) {
  return logarithm_of_any_size(x, 1, [](const Vector<T>& v) { return xsimd::log2(v); });
}
template <class T>
inline Vector<T> logarithm_10(const Vector<T>& x) {
  constexpr double two = std::numbers::ln2 / std::numbers::ln10;
  return logarithm_of_any_size(x, two, [](const Vector<T>& v) { return xsimd::log10(v); });
}

/// log(1 + x); xsimd's makes 0 of -0.
template <class T>
inline Vector<T> logarithm_1p(const Vector<T>& x) {
  return xsimd::select(x == Vector<T>(T{0}), x, xsimd::log1p(x));
}

/// Both log(1 + x), and beyond what can be squared log(x) + log(2).
template <class T>
inline Vector<T> inverse_hyperbolic_sine(const Vector<T>& x) {
  using B = Vector<T>;
  const B size = xsimd::abs(x), square = size * size;
  const auto large = size > B(T{1} / std::numeric_limits<T>::epsilon());
  const B more = size + square / (B(T{1}) + xsimd::sqrt(square + B(T{1})));
  const B log = logarithm_1p(xsimd::select(large, size, more));
  return (log + xsimd::select(large, B(T(std::numbers::ln2)), B(T{0}))) ^ xsimd::bitofsign(x);
}
template <class T>
inline Vector<T> inverse_hyperbolic_cosine(const Vector<T>& x) {
  using B = Vector<T>;
  const B above = xsimd::max(B(T{-1}), x - B(T{1}));  // the square of less would be positive again
  const auto large = x > B(T{1} / std::numeric_limits<T>::epsilon());
  const B log = logarithm_1p(xsimd::select(large, x, above + xsimd::sqrt(above * above + (above + above))));
  return log + xsimd::select(large, B(T(std::numbers::ln2)), B(T{0}));
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
    const B rest = (xsimd::fma(-s, g, f) - s * (m - (g - B(1.0)))) / g;
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
  const B high = bounded * log.high, low = xsimd::fma(bounded, log.low, xsimd::fma(bounded, log.high, -high));
  const B first = exponential(high);
  const B size =
      xsimd::select(first < B(std::numeric_limits<double>::infinity()), xsimd::fma(first, low, first), first);
  const B half = y * B(0.5);
  const B odd = xsimd::select(xsimd::trunc(half) == half, size, size ^ B(-0.0));
  const B negative = xsimd::select(xsimd::trunc(y) == y, odd, B(std::numeric_limits<double>::quiet_NaN()));
  return xsimd::select(x < B(0.0), negative, size);
}

}  // namespace weft::detail

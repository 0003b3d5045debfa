#pragma once
// Logarithms, and what is made of them: powers, and the inverses of the hyperbolic functions.
#include <weft/ops/kernels/simd/exponential.hpp>

#include <limits>
#include <numbers>

namespace weft::detail {

// fdlibm's: R(z) / z in log((1 + s) / (1 - s)) = 2 s + s R(s^2), and log 2 in two parts, the first so short that its
// product with an exponent is exact.
template <class T>
inline constexpr T log_terms[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                                  2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                                  1.479819860511658591e-01};
template <>
inline constexpr float log_terms<float>[] = {0.66666663F, 0.40000972F, 0.28498787F, 0.24279079F};
template <class T>
inline constexpr T log_2_high = sizeof(T) == 4 ? T(6.9313812256e-01) : T(6.93147180369123816490e-01);
template <class T>
inline constexpr T log_2_low = sizeof(T) == 4 ? T(9.0580006145e-06) : T(1.90821492927058770002e-10);

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

/// log(1 + x). xsimd's makes 0 of -0, and divides twice.
template <class T>
inline Vector<T> logarithm_1p(const Vector<T>& x) {
  using B = Vector<T>;
  using Bits = BitsOf<T>;
  using Word = typename Bits::value_type;
  constexpr int digits = std::numeric_limits<T>::digits - 1;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  // 1 + x, rounded, is m 2^e with m between the roots of 1/2 and 2. What the rounding lost is added to m - 1, which
  // beyond the digits says nothing any more.
  const B whole = x + B(T{1});
  const Bits one = xsimd::bitwise_cast<Bits>(B(T{1})), root = xsimd::bitwise_cast<Bits>(B(T(0.70710677)));
  const Bits mantissa((Word{1} << digits) - 1);
  const Bits bits = xsimd::bitwise_cast<Bits>(whole) + (one - root), biased = bits & ~mantissa;
  const B magic(static_cast<T>(Word{1} << digits));
  const B e = xsimd::bitwise_cast<B>((bits >> digits) | xsimd::bitwise_cast<Bits>(magic)) -
              (magic + B(T(std::numeric_limits<T>::max_exponent - 1)));
  const B shrunk = xsimd::bitwise_cast<B>(one + one - biased);  // 2^-e
  const B lost = (x - (whole - B(T{1}))) * shrunk;
  const B m = xsimd::bitwise_cast<B>((bits & mantissa) + root);
  const B f = (m - B(T{1})) + xsimd::select(x < B(T(Word{1} << digits)), lost, B(T{0}));
  // log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R(s^2)) with s = f / (2 + f)
  const B s = f / (B(T{2}) + f), z = s * s, half_square = B(T(0.5)) * f * f;
  const B rest = z * polynomial(log_terms<T>, z);
  const B low = xsimd::fma(s, half_square + rest, e * B(T(log_2_low<T>)));
  const B finite = xsimd::fma(e, B(T(log_2_high<T>)), f - (half_square - low));
  const B signed_zero = xsimd::select(x == B(T{0}), x, finite);
  const B in_range = xsimd::select(whole < B(infinity), signed_zero, whole);  // or nan
  const B above = xsimd::select(whole == B(T{0}), B(-infinity), in_range);
  return xsimd::select(whole < B(T{0}), B(std::numeric_limits<T>::quiet_NaN()), above);
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
    const B rest = xsimd::fnma(s, m - (g - B(1.0)), xsimd::fnma(s, g, f)) / g;
    const B z = s * s;
    const B whole = e * B(log_2_high<double>), part = s + s;
    high = whole + part;
    low = (whole - high) + part +
          xsimd::fma(s * z, polynomial(log_terms<double>, z), xsimd::fma(e, B(log_2_low<double>), rest + rest));
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

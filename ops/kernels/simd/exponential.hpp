#pragma once
// exp and its relatives. xsimd's exp2 and expm1 end before the range does.
#include <weft/ops/kernels/simd/polynomial.hpp>

#include <limits>
#include <numbers>

namespace weft::detail {

/// x = n log 2 + rest with whole n, for x up to some 10^3 in size; kept as n + whole_magic.
template <class T>
struct Doublings {
  Vector<T> shifted, rest;

  explicit Doublings(const Vector<T>& x)
      : shifted(xsimd::fma(x, Vector<T>(T(std::numbers::log2e)), Vector<T>(whole_magic<T>))) {
    using B = Vector<T>;
    constexpr bool single = sizeof(T) == 4;
    // log 2 in two parts, the first so short that its product with n is exact.
    const B near = xsimd::fnma(n(), B(single ? T(0.693359375) : T(6.93147180369123816490e-01)), x);
    rest = xsimd::fnma(n(), B(single ? T(-2.12194440e-4) : T(1.90821492927058770002e-10)), near);
  }
  Vector<T> n() const { return shifted - Vector<T>(whole_magic<T>); }
};

/// (exp(r) - 1 - r) / r^2 on [-log(2) / 2, log(2) / 2]: of the polynomial for exp(r) with the least largest relative
/// error that begins so.
template <class T>
inline Vector<T> exponential_tail(const Vector<T>& r) {
  if constexpr (sizeof(T) == 4) {
    static constexpr T c[] = {0.5F, 1.6666277e-1F, 4.1665401e-2F, 8.3955629e-3F, 1.3997796e-3F};
    return polynomial(c, r);
  } else {
    static constexpr T c[] = {0.5,
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
    return polynomial(c, r);
  }
}

/// exp(r) in the same places.
template <class T>
inline Vector<T> exponential_near(const Vector<T>& r) {
  const Vector<T> one(T{1});
  return xsimd::fma(xsimd::fma(exponential_tail(r), r, one), r, one);
}

/// x within [low, high]; NaN passes, being the second operand.
template <class T>
inline Vector<T> bounded(const Vector<T>& x, T low, T high) {
  return xsimd::max(Vector<T>(low), xsimd::min(Vector<T>(high), x));
}

/// exp(x), to 2e-7 of the value in f32 and 2e-16 in f64; less than the smallest normal value to its last digit. With a
/// power, exp(x) 2^power, which may be in range where exp(x) is not.
template <class T>
inline Vector<T> exponential(const Vector<T>& x, int power = 0) {
  constexpr bool single = sizeof(T) == 4;
  // The bounds lie where the result is 0 or infinite.
  const Doublings<T> d(bounded(x, single ? T(-104) : T(-746), single ? T(90) : T(711)));
  return scaled(exponential_near(d.rest), d.shifted + Vector<T>(static_cast<T>(power)));
}

/// 2^x.
template <class T>
inline Vector<T> exponential_2(const Vector<T>& x) {
  using B = Vector<T>;
  constexpr bool single = sizeof(T) == 4;
  const B inside = bounded(x, single ? T(-150) : T(-1075), single ? T(128) : T(1024));
  const B shifted = inside + B(whole_magic<T>), n = shifted - B(whole_magic<T>);
  return scaled(exponential_near((inside - n) * B(T(std::numbers::ln2))), shifted);
}

/// A quarter of exp(x) - 1, finite for every x; subnormal numbers lose two digits.
template <class T>
inline Vector<T> quarter_exponential_m1(const Vector<T>& x) {
  using B = Vector<T>;
  using Bits = BitsOf<T>;
  constexpr bool single = sizeof(T) == 4;
  // The bounds lie where the result is -1/4, and where twice the result is infinite.
  const Doublings<T> d(bounded(x, single ? T(-20) : T(-40), single ? T(89.6) : T(710.7)));
  const Bits exponent = xsimd::bitwise_cast<Bits>(d.shifted - B(T{2})) << (std::numeric_limits<T>::digits - 1);
  const B power = xsimd::bitwise_cast<B>(exponent + xsimd::bitwise_cast<Bits>(B(T{1})));  // 2^(n - 2), in range
  return xsimd::fma(xsimd::fma(exponential_tail(d.rest) * d.rest, d.rest, d.rest), power, power - B(T(0.25)));
}

/// exp(x) - 1, to two units in the last place.
template <class T>
inline Vector<T> exponential_m1(const Vector<T>& x) {
  using B = Vector<T>;
  const B whole = quarter_exponential_m1(x) * B(T{4});
  return xsimd::select(xsimd::abs(x) < B(std::numeric_limits<T>::epsilon() / 4), x, whole);
}

template <class T>
inline Vector<T> hyperbolic_sine(const Vector<T>& x) {
  using B = Vector<T>;
  const B size = xsimd::abs(x), quarter = quarter_exponential_m1(size), half = quarter + quarter;
  const B sum = half + quarter / (half + B(T(0.5)));
  return xsimd::select(size < B(std::numeric_limits<T>::epsilon()), x, sum ^ xsimd::bitofsign(x));
}

template <class T>
inline Vector<T> hyperbolic_cosine(const Vector<T>& x) {
  const Vector<T> half = exponential(xsimd::abs(x), -1);
  return half + Vector<T>(T(0.25)) / half;
}

}  // namespace weft::detail

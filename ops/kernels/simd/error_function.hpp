#pragma once
// The error function and what it leaves of 1.
#include <weft/ops/kernels/simd/exponential.hpp>

namespace weft::detail {

/// 1 - erf(x), with its digits where it is small too: exp(-x^2) p(s) / (1 + x) with s = (x - 3) / (x + 3) for x >= 0,
/// after Shepherd and Laframboise (Mathematics of Computation 36, 1981); p is a Chebyshev sum in powers of s. To four
/// and a half units in the last place.
template <class T>
inline Vector<T> error_function_rest(const Vector<T>& x) {
  using B = Vector<T>;
  constexpr bool single = sizeof(T) == 4;
  const B size = xsimd::min(B(single ? T(11) : T(28)), xsimd::abs(x));  // the result is 0 there; NaN passes
  const B s = (size - B(T{3})) / (size + B(T{3}));
  B p;
  if constexpr (single) {
    static constexpr T c[] = {0.7160046048F,    -0.2309273168F,   0.09902075048F,  -0.01023585212F, -0.02380386152F,
                              0.02196155309F,   -0.009751002211F, 0.001605131639F, 0.000646720857F, -0.000343578156F,
                              -2.190487139e-5F, 3.485527901e-5F,  -5.157560795e-7F};
    p = polynomial_in_halves(c, s);
  } else {
    static constexpr T c[] = {
        0.716004604725559799,    -0.230927333083809156,    0.0990207536794407881,    -0.0102353888990128876,
        -0.0238039131087010195,  0.0219577640127936784,    -0.00975068929223770112,  0.00161856912548921545,
        0.000645814199124352014, -0.000367288470666160455, -0.000020551588688191706, 0.0000561193473004945259,
        -1.51443731968608258e-6, -8.99002256263096052e-6,  2.60747438120436914e-7,   1.58871178084908866e-6,
        6.07131696435700497e-8,  -2.93411194434232237e-7,  -4.69790372228716955e-8,  5.09709668093965983e-8,
        1.62292383350693951e-8,  -7.06392271822324346e-9,  -3.48270075124336114e-9,  5.5671508633773728e-10,
        3.68591680381852307e-10};
    p = polynomial_in_halves(c, s);
  }
  // The square in two parts, the first that of so few digits that it is exact.
  constexpr int cut = single ? 12 : 27;
  const B few = xsimd::bitwise_cast<B>((xsimd::bitwise_cast<BitsOf<T>>(size) >> cut) << cut);
  Doublings<T> d(-(few * few));
  d.rest = d.rest - (size - few) * (size + few);
  const B right = scaled(exponential_near(d.rest) * (p / (size + B(T{1}))), d.shifted);
  return xsimd::select(x < B(T{0}), B(T{2}) - right, right);
}

/// erf(x) = x p(u) in f32 up to `end`, with p fitted for the least largest relative error, in powers of
/// u = 2 (x / end)^2 - 1, which lies in [-1, 1], so that rounding does not add up.
struct ErfSeries {
  static constexpr float end = 3.85F;
  static constexpr float first[] = {3.672848162e-01F, -1.833018642e-01F};
  static constexpr float rest[] = {1.362119289e-01F, -1.103706975e-01F, 9.081058658e-02F, -7.335086314e-02F,
                                   5.647152239e-02F, -4.026445084e-02F, 2.809981288e-02F, -2.046418766e-02F,
                                   1.147739866e-02F, -3.166883653e-03F, 2.304773889e-03F, -3.400455111e-03F,
                                   1.398830634e-03F};

  static Vector<float> at(const Vector<float>& u) {
    // The large terms last and one by one: halves would cancel in them.
    return xsimd::fma(xsimd::fma(polynomial_in_halves(rest, u), u, Vector<float>(first[1])), u,
                      Vector<float>(first[0]));
  }
};

/// In f32 to 3.2e-7 of the value: the series up to its end, and +-1 beyond, which is what it rounds to. In f64 x p(x^2)
/// is for small x, to three units in the last place; xsimd's loses 67 and makes NaN of the square of large numbers.
template <class T>
inline Vector<T> error_function(const Vector<T>& x) {
  using B = Vector<T>;
  if constexpr (sizeof(T) == 4) {
    constexpr T end = ErfSeries::end;
    const B p = ErfSeries::at(xsimd::fma(x * x, B(2 / (end * end)), B(T{-1})));
    return xsimd::select(xsimd::abs(x) >= B(end), xsimd::copysign(B(T{1}), x), x * p);
  } else {
    static constexpr T c[] = {1.12837916709551256,     -0.376126389031830562,     0.112837916708889007,
                              -0.0268661706208681596,  0.00522397717979040643,    -0.000854828098373585168,
                              0.000120525327424510243, -0.0000148259384359653411, 1.45258136125088401e-6};
    const B size = xsimd::abs(x), large = (B(T{1}) - error_function_rest(size)) ^ xsimd::bitofsign(x);
    return xsimd::select(size < B(T(0.53)), x * polynomial(c, x * x), large);
  }
}

/// (1 + erf(x / sqrt(2))) / 2, the chance of a normal variable below x. In f32 the series once more, without what only
/// erf's sign and relative error need: to 7e-8, and 0 or 1 where erf is -1 or 1.
template <class T>
inline Vector<T> normal_distribution(const Vector<T>& x) {
  using B = Vector<T>;
  constexpr double root = 0.70710678118654752;
  if constexpr (sizeof(T) == 4) {
    constexpr auto end = static_cast<T>(ErfSeries::end / root);
    const B low = xsimd::min(B(end), x);  // NaN passes
    const B p = ErfSeries::at(xsimd::fma(low * low, B(2 / (end * end)), B(T{-1})));
    return xsimd::select(x <= B(-end), B(T{0}), xsimd::fma(low * B(static_cast<T>(root / 2)), p, B(T(0.5))));
  } else {
    return B(T(0.5)) * (B(T{1}) + error_function(x * B(root)));
  }
}

}  // namespace weft::detail

#pragma once
// The functions of angles, and their inverses where xsimd's will not do.
#include <weft/ops/kernels/simd/polynomial.hpp>

#include <cmath>
#include <numbers>

namespace weft::detail {

/// An angle's size as n quarter turns and a rest, whose sine and cosine these are. xsimd has several reductions, and
/// which of them a lane gets hangs on its neighbours.
template <class T>
struct QuarterTurns {
  using B = Vector<T>;
  static constexpr bool single = sizeof(T) == 4;
  static constexpr T most = single ? T(0x1p16) : T(0x1p20);  // so many are told exactly
  B n, sine, cosine;

  explicit QuarterTurns(const B& x) {
    const B size = xsimd::abs(x);
    n = xsimd::nearbyint(size * B(T(0.63661977236758134)));
    // A quarter turn in parts so short that their products with n are exact.
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
      static constexpr T sines[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,
                                    -1.98412698298579493134e-04, 2.75573137070700676789e-06,
                                    -2.50507602534068634195e-08, 1.58969099521155010221e-10};
      static constexpr T cosines[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03,
                                      2.48015872894767294178e-05, -2.75573143513906633035e-07,
                                      2.08757232129817482790e-09, -1.13596475577881948265e-11};
      s = polynomial(sines, z), c = polynomial(cosines, z);
    }
    sine = xsimd::fma(s * z, r, r);
    cosine = xsimd::fma(c * z, z, xsimd::fnma(B(T{0.5}), z, B(T{1})));
  }

  /// `near` where n is told exactly, and the C library's f(x), lane by lane, where it is not.
  template <class F>
  B or_of_lanes(const B& near, const B& x, F f) const {
    const auto told = n <= B(most);
    if (xsimd::all(told)) return near;
    alignas(64) T in[B::size], out[B::size];
    x.store_aligned(in);
    near.store_aligned(out);
    for (std::size_t i = 0; i < B::size; ++i)
      if (!told.get(i)) out[i] = f(in[i]);
    return B::load_aligned(out);
  }
};

/// sin(x), or cos(x): to two and a half units in the last place everywhere.
template <bool cosine, class T>
inline Vector<T> wave(const Vector<T>& x) {
  using B = Vector<T>;
  const QuarterTurns<T> q(x);
  // Which of the two, and its sign, by the number of quarter turns: sine, cosine, -sine, -cosine, and round again.
  const B turns = (cosine ? q.n + B(T{1}) : q.n) * B(T{0.5}), pairs = xsimd::floor(turns), fours = pairs * B(T{0.5});
  const B either = xsimd::select(pairs == turns, q.sine, q.cosine);
  B result = xsimd::select(xsimd::floor(fours) == fours, either, -either);
  if constexpr (!cosine) result = result ^ xsimd::bitofsign(x);
  return q.or_of_lanes(result, x, [](T v) { return cosine ? std::cos(v) : std::sin(v); });
}

template <class T>
inline Vector<T> tangent(const Vector<T>& x) {
  using B = Vector<T>;
  const QuarterTurns<T> q(x);
  const B half = q.n * B(T{0.5});
  const auto even = xsimd::floor(half) == half;
  const B size = xsimd::select(even, q.sine, -q.cosine) / xsimd::select(even, q.cosine, q.sine);
  return q.or_of_lanes(size ^ xsimd::bitofsign(x), x, [](T v) { return std::tan(v); });
}

/// The angle of the point (x, y), in [-pi, pi], as the C library has it at zeros and infinities, which xsimd's has not.
template <class T>
inline Vector<T> angle_of(const Vector<T>& y, const Vector<T>& x) {
  using B = Vector<T>;
  const B width = xsimd::abs(x), height = xsimd::abs(y);
  const auto steep = height > width;
  const B less = xsimd::select(steep, width, height), more = xsimd::select(steep, height, width);
  const B ratio = xsimd::select(less == more, xsimd::select(more == B(T{0}), more, B(T{1})), less / more);
  B angle = xsimd::atan(ratio);
  angle = xsimd::select(steep, B(T(std::numbers::pi / 2)) - angle, angle);
  const auto left = (B(T{1}) | xsimd::bitofsign(x)) < B(T{0});  // -0 too
  return xsimd::select(left, B(T(std::numbers::pi)) - angle, angle) ^ xsimd::bitofsign(y);
}

}  // namespace weft::detail

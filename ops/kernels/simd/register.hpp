#pragma once
// The value that formulas compute on inside kernels: one SIMD register of f32 or f64. A double literal beside it is
// taken in the element type, so that no formula is promoted.
#include <weft/engine/dtype.hpp>
#include <weft/ops/kernels/simd/functions.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace weft::detail {

template <class T>
struct Register {
  using Mask = xsimd::batch_bool<T>;

  Vector<T> v;

  Register() : v(T{}) {}
  Register(const Vector<T>& batch) : v(batch) {}        // NOLINT(google-explicit-constructor)
  Register(double value) : v(static_cast<T>(value)) {}  // NOLINT(google-explicit-constructor)

  friend Register operator+(Register a, Register b) { return a.v + b.v; }
  friend Register operator-(Register a, Register b) { return a.v - b.v; }
  friend Register operator*(Register a, Register b) { return a.v * b.v; }
  friend Register operator/(Register a, Register b) { return a.v / b.v; }
  friend Register operator-(Register a) { return a.v ^ Vector<T>(T(-0.0)); }  // xsimd's is 0 - x, which makes 0 of 0
  friend Mask operator<(Register a, Register b) { return a.v < b.v; }
  friend Mask operator>(Register a, Register b) { return a.v > b.v; }
  friend Mask operator<=(Register a, Register b) { return a.v <= b.v; }
  friend Mask operator>=(Register a, Register b) { return a.v >= b.v; }
  friend Mask equal(Register a, Register b) { return a.v == b.v; }
  friend Register where(Mask mask, Register a, Register b) { return xsimd::select(mask, a.v, b.v); }

  friend Register zeros_like(Register) { return 0.0; }

  friend Register sqrt(Register a) { return xsimd::sqrt(a.v); }
  friend Register exp(Register a) { return exponential(a.v); }
  friend Register exp2(Register a) { return exponential_2(a.v); }
  friend Register expm1(Register a) { return exponential_m1(a.v); }
  friend Register log(Register a) { return logarithm(a.v); }
  friend Register log2(Register a) { return logarithm_2(a.v); }
  friend Register log10(Register a) { return logarithm_10(a.v); }
  friend Register log1p(Register a) { return logarithm_1p(a.v); }
  friend Register sin(Register a) { return wave<false>(a.v); }
  friend Register cos(Register a) { return wave<true>(a.v); }
  friend Register tan(Register a) { return tangent(a.v); }
  friend Register asin(Register a) { return xsimd::asin(a.v); }
  friend Register acos(Register a) { return xsimd::acos(a.v); }
  friend Register atan(Register a) { return xsimd::atan(a.v); }
  friend Register atan2(Register a, Register b) { return angle_of(a.v, b.v); }
  friend Register sinh(Register a) { return hyperbolic_sine(a.v); }
  friend Register cosh(Register a) { return hyperbolic_cosine(a.v); }
  friend Register tanh(Register a) { return xsimd::tanh(a.v); }
  friend Register asinh(Register a) { return inverse_hyperbolic_sine(a.v); }
  friend Register acosh(Register a) { return inverse_hyperbolic_cosine(a.v); }
  friend Register atanh(Register a) { return xsimd::atanh(a.v); }
  friend Register erf(Register a) { return error_function(a.v); }
  friend Register normal_distribution(Register a) { return detail::normal_distribution(a.v); }
  friend Register erfc(Register a) { return error_function_rest(a.v); }
  friend Register abs(Register a) { return xsimd::abs(a.v); }
  // With the sign put back where the result is 0: without SSE4.1 xsimd loses it.
  friend Register floor(Register a) { return xsimd::floor(a.v) | xsimd::bitofsign(a.v); }
  friend Register ceil(Register a) { return xsimd::ceil(a.v) | xsimd::bitofsign(a.v); }
  friend Register trunc(Register a) { return xsimd::trunc(a.v) | xsimd::bitofsign(a.v); }
  friend Register round(Register a) { return xsimd::nearbyint(a.v) | xsimd::bitofsign(a.v); }  // half to even
  friend Register sigmoid(Register a) { return Register(1.0) / (Register(1.0) + exp(-a)); }
  [[gnu::noinline]] friend Register pow(Register a, Register b) {  // long, and in many formulas
    constexpr std::size_t n = Vector<T>::size;
    alignas(64) T base[n], exponent[n], power[n];
    a.v.store_aligned(base);
    b.v.store_aligned(exponent);
    // In double, where the logarithm times the exponent keeps the digits that exp needs.
    using Wide = Vector<double>;
    alignas(64) double x[n], y[n];
    std::copy_n(base, n, x);
    std::copy_n(exponent, n, y);
    for (std::size_t i = 0; i < n; i += Wide::size)
      finite_power(Wide::load_aligned(x + i), Wide::load_aligned(y + i)).store_aligned(x + i);
    for (std::size_t i = 0; i < n; ++i) power[i] = static_cast<T>(x[i]);
    // Beside a zero, an infinity or a nan the C library's, lane by lane, so that no value depends on its neighbours.
    const Vector<T> sum = a.v - a.v + (b.v - b.v), product = a.v * b.v;
    if (!xsimd::all(sum == Vector<T>(T{0})) || xsimd::any(product == Vector<T>(T{0}))) {
      for (std::size_t i = 0; i < n; ++i)
        if (!std::isfinite(base[i]) || !std::isfinite(exponent[i]) || base[i] == T{0} || exponent[i] == T{0})
          power[i] = std::pow(base[i], exponent[i]);
    }
    return Register(Vector<T>::load_aligned(power));
  }
  // Whole exponents, the common case, are products: exact for squares, and defined for negative bases. The reciprocal
  // goes first, as its powers stay in range where those of a do not.
  friend Register pow(Register a, double exponent) {
    if (exponent == 0.5) return sqrt(a);
    if (exponent == -0.5) return Register(1.0) / sqrt(a);
    if (exponent != std::trunc(exponent) || std::abs(exponent) > 32) return pow(a, Register(exponent));
    Vector<T> result(T{1}), power = exponent < 0 ? Vector<T>(T{1}) / a.v : a.v;
    for (int n = static_cast<int>(std::abs(exponent)); n != 0; n >>= 1, power = power * power)
      if (n & 1) result = result * power;
    return result;
  }
};

}  // namespace weft::detail

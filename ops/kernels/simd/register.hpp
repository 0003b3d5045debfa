#pragma once
// The value that formulas compute on inside kernels: one SIMD register of f32 or f64. A double literal beside it is
// taken in the element type, so that no formula is promoted.
#include <weft/engine/dtype.hpp>
#include <weft/ops/kernels/simd/functions.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <xsimd/xsimd.hpp>

namespace weft::detail {

template <class T>
struct Lane {
  using Batch = xsimd::batch<T>;
  using Mask = xsimd::batch_bool<T>;
  static constexpr std::int64_t width = static_cast<std::int64_t>(Batch::size);

  Batch v;

  Lane() : v(T{}) {}
  Lane(const Batch& batch) : v(batch) {}            // NOLINT(google-explicit-constructor)
  Lane(double value) : v(static_cast<T>(value)) {}  // NOLINT(google-explicit-constructor)

  friend Lane operator+(Lane a, Lane b) { return a.v + b.v; }
  friend Lane operator-(Lane a, Lane b) { return a.v - b.v; }
  friend Lane operator*(Lane a, Lane b) { return a.v * b.v; }
  friend Lane operator/(Lane a, Lane b) { return a.v / b.v; }
  friend Lane operator-(Lane a) { return a.v ^ Batch(T(-0.0)); }  // xsimd's is 0 - x, which makes 0 of 0
  friend Mask operator<(Lane a, Lane b) { return a.v < b.v; }
  friend Mask operator>(Lane a, Lane b) { return a.v > b.v; }
  friend Mask equal(Lane a, Lane b) { return a.v == b.v; }
  friend Lane where(Mask mask, Lane a, Lane b) { return xsimd::select(mask, a.v, b.v); }

  friend Lane sqrt(Lane a) { return xsimd::sqrt(a.v); }
  friend Lane exp(Lane a) { return exponential(a.v); }
  friend Lane log(Lane a) { return logarithm(a.v); }
  friend Lane log1p(Lane a) { return logarithm_1p(a.v); }
  friend Lane sin(Lane a) { return wave<false>(a.v); }
  friend Lane cos(Lane a) { return wave<true>(a.v); }
  friend Lane tanh(Lane a) { return xsimd::tanh(a.v); }
  friend Lane erf(Lane a) { return error_function(a.v); }
  friend Lane abs(Lane a) { return xsimd::abs(a.v); }
  friend Lane sigmoid(Lane a) { return Lane(1.0) / (Lane(1.0) + exp(-a)); }
  friend Lane pow(Lane a, Lane b) {
    alignas(64) T base[static_cast<std::size_t>(width)], exponent[static_cast<std::size_t>(width)];
    alignas(64) T power[static_cast<std::size_t>(width)];
    a.v.store_aligned(base);
    b.v.store_aligned(exponent);
    // In double, where the logarithm times the exponent keeps the digits that exp needs.
    using Wide = xsimd::batch<double>;
    for (std::size_t i = 0; i < static_cast<std::size_t>(width); i += Wide::size) {
      alignas(64) double x[Wide::size], y[Wide::size];
      std::copy_n(base + i, Wide::size, x);
      std::copy_n(exponent + i, Wide::size, y);
      finite_power(Wide::load_aligned(x), Wide::load_aligned(y)).store_aligned(x);
      for (std::size_t k = 0; k < Wide::size; ++k) power[i + k] = static_cast<T>(x[k]);
    }
    // Beside a zero, an infinity or a nan the C library's, lane by lane, so that no value depends on its neighbours.
    const Batch sum = a.v - a.v + (b.v - b.v), product = a.v * b.v;
    if (!xsimd::all(sum == Batch(T{0})) || xsimd::any(product == Batch(T{0}))) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(width); ++i)
        if (!std::isfinite(base[i]) || !std::isfinite(exponent[i]) || base[i] == T{0} || exponent[i] == T{0})
          power[i] = std::pow(base[i], exponent[i]);
    }
    return Lane(Batch::load_aligned(power));
  }
  // Whole exponents, the common case, are products: exact for squares, and defined for negative bases. The reciprocal
  // goes first, as its powers stay in range where those of a do not.
  friend Lane pow(Lane a, double exponent) {
    if (exponent == 0.5) return sqrt(a);
    if (exponent == -0.5) return Lane(1.0) / sqrt(a);
    if (exponent != std::trunc(exponent) || std::abs(exponent) > 32) return pow(a, Lane(exponent));
    Batch result(T{1}), power = exponent < 0 ? Batch(T{1}) / a.v : a.v;
    for (int n = static_cast<int>(std::abs(exponent)); n != 0; n >>= 1, power = power * power)
      if (n & 1) result = result * power;
    return result;
  }
};

/// The same for i64 and u8: one element at a time, and the compiler vectorises what it can.
template <class T>
struct Whole {
  T v;

  Whole() : v(0) {}
  Whole(T value) : v(value) {}                  // NOLINT(google-explicit-constructor)
  Whole(double value) : v(saturated(value)) {}  // NOLINT(google-explicit-constructor)

  /// The nearest value of the type: bounds may lie beyond it.
  static T saturated(double value) {
    constexpr auto least = static_cast<double>(std::numeric_limits<T>::min());
    constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());
    if (value >= most) return std::numeric_limits<T>::max();
    return value > least ? static_cast<T>(value) : std::numeric_limits<T>::min();
  }

  friend Whole operator+(Whole a, Whole b) { return static_cast<T>(a.v + b.v); }
  friend Whole operator-(Whole a, Whole b) { return static_cast<T>(a.v - b.v); }
  friend Whole operator*(Whole a, Whole b) { return static_cast<T>(a.v * b.v); }
  friend Whole operator-(Whole a) { return static_cast<T>(-a.v); }
  friend bool operator<(Whole a, Whole b) { return a.v < b.v; }
  friend bool operator>(Whole a, Whole b) { return a.v > b.v; }
  friend bool equal(Whole a, Whole b) { return a.v == b.v; }
  friend Whole abs(Whole a) { return a < Whole(0.0) ? -a : a; }
  friend Whole where(bool mask, Whole a, Whole b) { return mask ? a : b; }
};

}  // namespace weft::detail

#pragma once
// The value that formulas compute on where registers will not do: one element of any dtype. The compiler makes vectors
// of the loops around it.
#include <cstdint>
#include <limits>
#include <type_traits>

namespace weft::detail {

template <class T>
struct Number {
  T v;

  Number() : v(0) {}
  Number(T value) : v(value) {}  // NOLINT(google-explicit-constructor)
  Number(double value)           // NOLINT(google-explicit-constructor)
      requires(!std::is_same_v<T, double>)
      : v(nearest(value)) {}

  /// The nearest value of the type: bounds may lie beyond an integer's.
  static T nearest(double value) {
    if constexpr (std::is_integral_v<T>) {
      constexpr auto least = static_cast<double>(std::numeric_limits<T>::min());
      constexpr auto most = static_cast<double>(std::numeric_limits<T>::max());
      if (value >= most) return std::numeric_limits<T>::max();
      return value > least ? static_cast<T>(value) : std::numeric_limits<T>::min();
    } else {
      return static_cast<T>(value);
    }
  }

  friend Number operator+(Number a, Number b) { return static_cast<T>(a.v + b.v); }
  friend Number operator-(Number a, Number b) { return static_cast<T>(a.v - b.v); }
  friend Number operator*(Number a, Number b) { return static_cast<T>(a.v * b.v); }
  friend Number operator-(Number a) { return static_cast<T>(-a.v); }
  friend bool operator<(Number a, Number b) { return a.v < b.v; }
  friend bool operator>(Number a, Number b) { return a.v > b.v; }
  friend bool operator<=(Number a, Number b) { return a.v <= b.v; }
  friend bool operator>=(Number a, Number b) { return a.v >= b.v; }
  friend bool equal(Number a, Number b) { return a.v == b.v; }
  friend Number abs(Number a) { return a.v < T{0} ? -a : a; }
  friend Number floor(Number a) requires std::is_integral_v<T> { return a; }
  friend Number ceil(Number a) requires std::is_integral_v<T> { return a; }
  friend Number round(Number a) requires std::is_integral_v<T> { return a; }
  friend Number trunc(Number a) requires std::is_integral_v<T> { return a; }
  friend Number zeros_like(Number) { return T{0}; }
  friend Number where(bool mask, Number a, Number b) { return mask ? a : b; }
};

}  // namespace weft::detail

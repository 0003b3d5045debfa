#pragma once
// Results that are sums, from plain loops of doubles, and the comparison of an op's results with them.
#include <tests/support/array.hpp>
#include <weft/testing/threads.hpp>

#include <cmath>
#include <random>
#include <span>
#include <string>

namespace weft::test {

/// A sum for each element, and beside it the sum of its terms' sizes: rounding goes by these, and one term left out,
/// taken twice or taken from elsewhere shows beside them however the terms cancel.
struct Sums {
  Shape shape;
  std::vector<double> value, size;

  explicit Sums(const Shape& s = {})
      : shape(s), value(static_cast<std::size_t>(s.size())), size(static_cast<std::size_t>(s.size())) {}
  void add(std::int64_t at, double term) {
    value[static_cast<std::size_t>(at)] += term;
    size[static_cast<std::size_t>(at)] += std::abs(term);
  }
};

/// Element by element.
Sums operator+(Sums a, const Sums& b);

/// Empty if every value lies within `tolerance` times the size of its terms; else where they differ first.
std::string difference(std::span<const double> got, const Sums& expected, double tolerance);
/// The same of a tensor and its shape: 1e-14 for f64, 1e-6 for f32.
std::string difference(const Tensor& got, const Sums& expected);
inline double sum_tolerance(DType dtype) { return dtype == f64 ? 1e-14 : 1e-6; }

/// Numbers of size 0.5 to 1.5 and either sign: no term of a sum of products is small beside the others.
Array drawn(const Shape& shape, std::mt19937_64& engine);
Tensor to_tensor(const Array& a, DType dtype);

/// One of a few choices.
inline std::int64_t pick(std::mt19937_64& engine, std::initializer_list<std::int64_t> choices) {
  return choices.begin()[engine() % choices.size()];
}

bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace weft::test

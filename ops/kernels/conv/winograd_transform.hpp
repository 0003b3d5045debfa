#pragma once
// The transforms of F(4x4, 3x3), Lavin and Gray, Fast algorithms for convolutional neural networks (arXiv 1509.09308):
// a convolution with a 3x3 kernel of a tile of 6x6 inputs to 4x4 outputs, y = A' ((B' d B) * (G g G')) A. Each function
// here is one of the matrices applied along one axis, to values of any kind: vectors of channels.
//
// Tiles at an edge have three or two outputs along an axis and need but five or four of the same points, so that the
// weights' points are the same for all: what would be another factor in G is one in B'.
#include <weft/ops/kernels/simd/vector.hpp>

#include <array>
#include <cstdint>

namespace weft::detail {

template <class V>
using Line2 = std::array<V, 2>;
template <class V>
using Line3 = std::array<V, 3>;
template <class V>
using Line4 = std::array<V, 4>;
template <class V>
using Line5 = std::array<V, 5>;
template <class V>
using Line6 = std::array<V, 6>;

/// The polynomials of the method are known at the points 0, a, -a, b, -b and infinity. These lose a third of the digits
/// that the usual 1 and 2 lose (docs/decisions.md).
inline constexpr double point_a = 0.625, point_b = 1.5;
inline constexpr double square_a = point_a * point_a, square_b = point_b * point_b;

/// Which of the six is point k of a tile with `side` outputs: with three -b is left out, with two both b and -b.
inline constexpr std::int64_t point_of(std::int64_t side, std::int64_t k) { return k == side + 1 ? 5 : k; }
/// Whether such a tile has the point.
inline constexpr bool has_point(std::int64_t side, std::int64_t point) { return point == 5 || point <= side; }

/// factor * v, and that added to or taken from w in one operation.
template <class V>
[[gnu::always_inline]] inline V times(double factor, const V& v) {
  return V(static_cast<typename V::value_type>(factor)) * v;
}
template <class V>
[[gnu::always_inline]] inline V plus_times(const V& w, double factor, const V& v) {
  return fma(V(static_cast<typename V::value_type>(factor)), v, w);
}
template <class V>
[[gnu::always_inline]] inline V minus_times(const V& w, double factor, const V& v) {
  return fnma(V(static_cast<typename V::value_type>(factor)), v, w);
}

/// B': six inputs to six points.
template <class V>
[[gnu::always_inline]] inline Line6<V> input_points(const Line6<V>& d) {
  constexpr double sum = square_a + square_b, product = square_a * square_b;
  const V even_a = minus_times(d[4], square_b, d[2]), odd_a = minus_times(d[3], square_b, d[1]);
  const V even_b = minus_times(d[4], square_a, d[2]), odd_b = minus_times(d[3], square_a, d[1]);
  return {plus_times(minus_times(d[4], sum, d[2]), product, d[0]),
          plus_times(even_a, point_a, odd_a),
          minus_times(even_a, point_a, odd_a),
          plus_times(even_b, point_b, odd_b),
          minus_times(even_b, point_b, odd_b),
          plus_times(minus_times(d[5], sum, d[3]), product, d[1])};
}

/// B' of a tile with three outputs.
template <class V>
[[gnu::always_inline]] inline Line5<V> input_points(const Line5<V>& d) {
  constexpr double sum = point_a + point_b, gap = point_b - point_a, product = point_a * point_b;
  const V odd = minus_times(d[3], square_a, d[1]);
  return {times(point_b, minus_times(odd, point_b, minus_times(d[2], square_a, d[0]))),
          times(sum, minus_times(minus_times(d[3], gap, d[2]), product, d[1])),
          times(gap, plus_times(minus_times(d[3], sum, d[2]), product, d[1])), times(2 * point_b, odd),
          minus_times(minus_times(d[4], square_a, d[2]), point_b, odd)};
}

/// B' of a tile with two outputs.
template <class V>
[[gnu::always_inline]] inline Line4<V> input_points(const Line4<V>& d) {
  constexpr double factor = square_a - square_b;
  return {times(-square_b, minus_times(d[2], square_a, d[0])), times(factor, plus_times(d[2], point_a, d[1])),
          times(factor, minus_times(d[2], point_a, d[1])), minus_times(d[3], square_a, d[1])};
}

/// A': six points to four outputs.
template <class V>
[[gnu::always_inline]] inline Line4<V> outputs(const Line6<V>& m) {
  constexpr double cube_a = square_a * point_a, cube_b = square_b * point_b;
  const V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
  return {m[0] + even_a + even_b, plus_times(times(point_a, odd_a), point_b, odd_b),
          plus_times(times(square_a, even_a), square_b, even_b),
          plus_times(plus_times(m[5], cube_a, odd_a), cube_b, odd_b)};
}

template <class V>
[[gnu::always_inline]] inline Line3<V> outputs(const Line5<V>& m) {
  const V even = m[1] + m[2], odd = m[1] - m[2];
  return {m[0] + even + m[3], plus_times(times(point_a, odd), point_b, m[3]),
          plus_times(plus_times(m[4], square_a, even), square_b, m[3])};
}
template <class V>
[[gnu::always_inline]] inline Line2<V> outputs(const Line4<V>& m) {
  return {m[0] + m[1] + m[2], plus_times(m[3], point_a, m[1] - m[2])};
}

/// A: what outputs() is the transpose of.
template <class V>
[[gnu::always_inline]] inline Line6<V> output_points(const Line4<V>& y) {
  const V even_a = plus_times(y[0], square_a, y[2]), odd_a = plus_times(y[1], square_a, y[3]);
  const V even_b = plus_times(y[0], square_b, y[2]), odd_b = plus_times(y[1], square_b, y[3]);
  return {y[0],
          plus_times(even_a, point_a, odd_a),
          minus_times(even_a, point_a, odd_a),
          plus_times(even_b, point_b, odd_b),
          minus_times(even_b, point_b, odd_b),
          y[3]};
}

template <class V>
[[gnu::always_inline]] inline Line5<V> output_points(const Line3<V>& y) {
  const V even = plus_times(y[0], square_a, y[2]);
  return {y[0], plus_times(even, point_a, y[1]), minus_times(even, point_a, y[1]),
          plus_times(plus_times(y[0], square_b, y[2]), point_b, y[1]), y[2]};
}
template <class V>
[[gnu::always_inline]] inline Line4<V> output_points(const Line2<V>& y) {
  return {y[0], plus_times(y[0], point_a, y[1]), minus_times(y[0], point_a, y[1]), y[1]};
}

inline constexpr double scale_0 = 1 / (square_a * square_b), scale_a = 1 / (2 * square_a * (square_a - square_b)),
                        scale_b = 1 / (2 * square_b * (square_b - square_a));

/// G: three weights to six points.
template <class V>
[[gnu::always_inline]] inline Line6<V> weight_points(const Line3<V>& g) {
  const V even_a = plus_times(g[0], square_a, g[2]), even_b = plus_times(g[0], square_b, g[2]);
  return {times(scale_0, g[0]),
          times(scale_a, plus_times(even_a, point_a, g[1])),
          times(scale_a, minus_times(even_a, point_a, g[1])),
          times(scale_b, plus_times(even_b, point_b, g[1])),
          times(scale_b, minus_times(even_b, point_b, g[1])),
          g[2]};
}

/// G': what weight_points() is the transpose of.
template <class V>
[[gnu::always_inline]] inline Line3<V> weights(const Line6<V>& u) {
  const V even_a = times(scale_a, u[1] + u[2]), odd_a = times(scale_a, u[1] - u[2]);
  const V even_b = times(scale_b, u[3] + u[4]), odd_b = times(scale_b, u[3] - u[4]);
  return {plus_times(even_a + even_b, scale_0, u[0]), plus_times(times(point_a, odd_a), point_b, odd_b),
          plus_times(plus_times(u[5], square_a, even_a), square_b, even_b)};
}

/// A function from a line of `from` values to one of `to`: load(k) gives what it is of, store(k, value) takes the
/// result. The loops must be unrolled, or the values do not become registers.
template <std::size_t from, std::size_t to, class V, class Load, class F, class Store>
[[gnu::always_inline]] inline void along(const Load& load, const F& f, const Store& store) {
  std::array<V, from> line;
#pragma GCC unroll 6
  for (std::size_t k = 0; k < from; ++k) line[k] = load(static_cast<std::int64_t>(k));
  const std::array<V, to> changed = f(line);
#pragma GCC unroll 6
  for (std::size_t k = 0; k < to; ++k) store(static_cast<std::int64_t>(k), changed[k]);
}

/// That along both axes of a square, with load(row, column) and store(row, column, value). What is between lies in
/// memory: the registers do not hold it, and where the lines are a loop nothing else needs them.
template <std::size_t from, std::size_t to, class V, class Load, class F, class Store>
[[gnu::always_inline]] inline void along_both(const Load& load, const F& f, const Store& store) {
  constexpr auto side = static_cast<std::int64_t>(from), lane = static_cast<std::int64_t>(V::size);
  alignas(64) typename V::value_type half[to * from * V::size];
#pragma GCC unroll 1
  for (std::int64_t row = 0; row < side; ++row)
    along<from, to, V>(
        [&](std::int64_t column) { return load(row, column); }, f,
        [&](std::int64_t column, const V& value) { value.store_aligned(half + (column * side + row) * lane); });
#pragma GCC unroll 1
  for (std::int64_t column = 0; column < static_cast<std::int64_t>(to); ++column)
    along<from, to, V>([&](std::int64_t row) { return V::load_aligned(half + (column * side + row) * lane); }, f,
                       [&](std::int64_t row, const V& value) { store(row, column, value); });
}

}  // namespace weft::detail

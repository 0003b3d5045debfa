#include <weft/ops/arrange.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include <weft/engine/op.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/detail/bytes.hpp>
#include <weft/ops/kernels/copy/copy.hpp>
#include <weft/ops/kernels/copy/triangle.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::around;
using detail::bytes_of;
using detail::Collapsed;
using detail::make_tensor;
using detail::mutable_bytes_of;
using detail::Side;
using detail::width_of;
using detail::with_size;

struct Matrices {
  std::int64_t batch, rows, columns;
  explicit Matrices(const Shape& shape) : batch(1), rows(shape[-2]), columns(shape[-1]) {
    for (int i = 0; i < shape.rank() - 2; ++i) batch *= shape[i];
  }
};

// One side of the k-th diagonal.
template <Side side>
struct Triangle {
  static constexpr const char* name = side == Side::lower ? "tril" : "triu";
  std::int64_t k;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), a.dtype());
    const Matrices m(a.shape());
    const std::int64_t diagonal = std::clamp(k, -m.rows, m.columns);
    detail::triangle_copy(bytes_of(a), mutable_bytes_of(out), m.batch, m.rows, m.columns, diagonal, side, width_of(a));
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return apply(*this, g); }
  Fields describe() const { return {{"k", k}}; }
};

template <Side side>
Tensor triangle(const Tensor& a, std::int64_t k) {
  using Op = Triangle<side>;
  if (a.rank() < 2) fail(Op::name, ": got shape ", a.shape(), ", needs at least two axes");
  return apply(Op{k}, a);
}

struct Diagonal {
  static constexpr const char* name = "diagonal";

  static Tensor forward(Context&, const Tensor& a) {
    const Matrices m(a.shape());
    Shape shape = a.shape();
    shape.erase(shape.rank() - 1);
    shape[-1] = std::min(m.rows, m.columns);
    Tensor out = make_tensor(name, shape, a.dtype());
    const std::int64_t sizes[] = {m.batch, shape[-1]}, from[] = {m.rows * m.columns, m.columns + 1},
                       to[] = {shape[-1], 1};
    detail::copy_strided(bytes_of(a), from, mutable_bytes_of(out), to, sizes, 2, width_of(a));
    return out;
  }
  static Tensor backward(Context& ctx, const Tensor& g);
};

// Zeros, with a on the main diagonals of matrices.
struct PlaceDiagonal {
  static constexpr const char* name = "diag";
  std::int64_t rows, columns;

  Tensor forward(Context&, const Tensor& a) const {
    Shape shape = a.shape();
    const std::int64_t length = shape[-1];
    shape[-1] = rows;
    shape.append(columns);
    Tensor out = make_tensor(name, shape, a.dtype());
    out.zero_();
    const std::int64_t sizes[] = {Matrices(shape).batch, length}, from[] = {length, 1},
                       to[] = {rows * columns, columns + 1};
    detail::copy_strided(bytes_of(a), from, mutable_bytes_of(out), to, sizes, 2, width_of(a));
    return out;
  }
  static Tensor backward(Context&, const Tensor& g) { return apply(Diagonal{}, g); }
  Fields describe() const { return {{"rows", rows}, {"columns", columns}}; }
};

Tensor Diagonal::backward(Context& ctx, const Tensor& g) {
  return apply(PlaceDiagonal{ctx.shape(0)[-2], ctx.shape(0)[-1]}, g);
}

// a with the source, or zeros where there is none, at positions of an axis.
struct SlicePut {
  static constexpr const char* name = "slice_put";
  int axis;
  detail::Positions at;

  Tensor forward(Context&, const Tensor& a, const Tensor& source) const {
    Tensor out = make_tensor(name, a.shape(), a.dtype());
    const std::int64_t all = a.size(), one = 1;
    detail::copy_strided(bytes_of(a), &one, mutable_bytes_of(out), &one, &all, 1, width_of(a));
    if (at.count == 0) return out;
    const Collapsed s = around(a.shape(), axis);
    const std::int64_t sizes[] = {s.outer, at.count, s.inner}, to[] = {s.axis * s.inner, at.step * s.inner, 1},
                       from[] = {at.count * s.inner, s.inner, 1}, still[] = {0, 0, 0};
    auto* const first = detail::mutable_data_of<std::byte>(out) + at.start * s.inner * width_of(a);
    const std::uint64_t zero = 0;
    if (source.defined())
      detail::copy_strided(bytes_of(source), from, first, to, sizes, 3, width_of(a));
    else
      detail::copy_strided(&zero, still, first, to, sizes, 3, width_of(a));
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    return {ctx.needs(0) ? apply(*this, g, Tensor()) : Tensor(),
            ctx.needs(1) ? slice(g, axis, at.start, at.stop(), at.step) : Tensor()};
  }
  Fields describe() const { return {{"axis", axis}, {"start", at.start}, {"count", at.count}, {"step", at.step}}; }
};

// The shape with one axis n times as long. Throws Error naming `op` if that is impossible.
Shape lengthened(const char* op, Shape shape, int axis, std::int64_t n, DType dtype) {
  if (n < 0) fail(op, ": got the count ", n, ", needs at least 0");
  if (__builtin_mul_overflow(shape[axis], n, &shape[axis]))
    fail(op, ": got the count ", n, " for axis ", axis, ", which makes more than 2^63 elements");
  detail::checked_size(op, shape, size_of(dtype));
  return shape;
}

}  // namespace

Tensor repeat(const Tensor& a, std::int64_t n, int axis) {
  const int along = detail::checked_axis("repeat", axis, a.rank());
  const Shape shape = lengthened("repeat", a.shape(), along, n, a.dtype());
  const Collapsed s = around(a.shape(), along);
  const Tensor images = reshape(a, {s.outer * s.axis, 1, s.inner});
  return reshape(broadcast_to(images, {s.outer * s.axis, n, s.inner}), shape);
}

Tensor tile(const Tensor& a, const Shape& counts) {
  Shape shape = a.shape(), times = counts;
  while (shape.rank() < times.rank()) shape.insert(0, 1);
  while (times.rank() < shape.rank()) times.insert(0, 1);
  Shape result = shape;
  for (int i = 0; i < result.rank(); ++i) result = lengthened("tile", result, i, times[i], a.dtype());
  // A tiled axis is two: how often, of size 1 at first, and what is repeated, with the axes behind that are not tiled.
  std::vector<std::int64_t> seen, filled;
  for (int i = 0; i < shape.rank(); ++i) {
    if (times[i] != 1) {
      seen.insert(seen.end(), {1, shape[i]});
      filled.insert(filled.end(), {times[i], shape[i]});
    } else if (seen.empty()) {
      seen = filled = {shape[i]};
    } else {
      seen.back() *= shape[i];
      filled.back() *= shape[i];
    }
  }
  if (seen.size() > max_rank) {
    // The last by itself, then one less.
    int last = times.rank() - 1;
    while (times[last] == 1) --last;
    Shape inner = times;
    for (int i = 0; i < last; ++i) inner[i] = 1;
    times[last] = 1;
    return tile(tile(reshape(a, shape), inner), times);
  }
  return reshape(broadcast_to(reshape(a, Shape(seen.data(), seen.size())), Shape(filled.data(), filled.size())),
                 result);
}

Tensor tril(const Tensor& a, std::int64_t k) { return triangle<Side::lower>(a, k); }

Tensor triu(const Tensor& a, std::int64_t k) { return triangle<Side::upper>(a, k); }

Tensor diagonal(const Tensor& a) {
  if (a.rank() < 2) fail("diagonal: got shape ", a.shape(), ", needs at least two axes");
  return apply(Diagonal{}, a);
}

Tensor diag(const Tensor& a) {
  if (a.rank() != 1 && a.rank() != 2) fail("diag: got shape ", a.shape(), ", needs a vector or a matrix");
  return a.rank() == 2 ? diagonal(a) : apply(PlaceDiagonal{a.size(), a.size()}, a);
}

Tensor slice_put(const Tensor& a, int axis, std::int64_t start, std::int64_t stop, const Tensor& source,
                 std::int64_t step) {
  const int along = detail::checked_axis("slice_put", axis, a.rank());
  detail::check_same_dtype("slice_put", a, source);
  const detail::Positions at = detail::positions("slice_put", start, stop, step, a.shape()[along]);
  const Shape part = with_size(a.shape(), along, at.count);
  if (!detail::broadcasts_to(source.shape(), part))
    fail("slice_put: got a source of shape ", source.shape(), " for a slice of shape ", part, ", needs that shape or ",
         "one that broadcasts to it");
  return apply(SlicePut{along, at}, a, broadcast_to(source, part));
}

}  // namespace weft

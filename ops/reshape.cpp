#include <weft/ops/reshape.hpp>

#include <algorithm>

#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/detail/bytes.hpp>
#include <weft/ops/kernels/copy/copy.hpp>

namespace weft {
namespace {

using detail::around;
using detail::bytes_of;
using detail::Collapsed;
using detail::make_tensor;
using detail::mutable_bytes_of;
using detail::width_of;
using detail::with_size;
using Sizes = std::vector<std::int64_t>;

struct Reshape {
  static constexpr const char* name = "reshape";
  Shape to;

  Tensor forward(Context&, const Tensor& a) const { return detail::alias(a, to); }
  static Tensor backward(Context& ctx, const Tensor& g) { return reshape(g, ctx.shape(0)); }
  Fields describe() const { return {{"shape", to}}; }
};

// The same storage in a shape with as many elements.
Tensor reshaped(const Tensor& a, const Shape& shape) { return shape == a.shape() ? a : apply(Reshape{shape}, a); }

struct Permute {
  static constexpr const char* name = "permute";
  Axes order;

  Tensor forward(Context&, const Tensor& a) const {
    const int rank = a.rank();
    Shape shape = a.shape();
    int from[max_rank];
    for (int i = 0; i < rank; ++i) {
      from[i] = static_cast<int>(order[i]);
      shape[i] = a.shape()[from[i]];
    }
    Tensor out = make_tensor(name, shape, a.dtype());
    if (out.size() > 0) detail::permute(bytes_of(a), mutable_bytes_of(out), a.shape().begin(), from, rank, width_of(a));
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const {
    Axes inverse = order;
    for (int i = 0; i < order.count(); ++i) inverse[static_cast<int>(order[i])] = i;
    return apply(Permute{inverse}, g);
  }
  Fields describe() const { return {{"order", order}}; }
};

struct BroadcastTo {
  static constexpr const char* name = "broadcast_to";
  Shape shape;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, shape, a.dtype());
    Shape from = a.shape();
    while (from.rank() < shape.rank()) from.insert(0, 1);
    if (out.size() > 0)
      detail::broadcast_copy(bytes_of(a), from.begin(), mutable_bytes_of(out), shape.begin(), shape.rank(),
                             width_of(a));
    return out;
  }
  static Tensor backward(Context&, const Tensor& g) { return g; }  // the tape sums it
  Fields describe() const { return {{"shape", shape}}; }
};

// Positions start, start + step, ... of an axis, `count` of them.
struct Slice {
  static constexpr const char* name = "slice";
  int axis;
  std::int64_t start, count, step;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, with_size(a.shape(), axis, count), a.dtype());
    if (out.size() > 0)
      detail::slice_copy(bytes_of(a), around(a.shape(), axis), mutable_bytes_of(out), start, step, count, width_of(a));
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const;
  Fields describe() const { return {{"axis", axis}, {"start", start}, {"count", count}, {"step", step}}; }
};

// Zeros, with a at positions start, start + step, ... of an axis of `size`.
struct SliceScatter {
  static constexpr const char* name = "slice_scatter";
  int axis;
  std::int64_t size, start, step;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, with_size(a.shape(), axis, size), a.dtype());
    if (a.size() == 0) return out.zero_();
    detail::slice_scatter(bytes_of(a), mutable_bytes_of(out), around(out.shape(), axis), start, step, a.shape()[axis],
                          width_of(a));
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    return apply(Slice{axis, start, ctx.shape(0)[axis], step}, g);
  }
  Fields describe() const { return {{"axis", axis}, {"size", size}, {"start", start}, {"step", step}}; }
};

Tensor Slice::backward(Context& ctx, const Tensor& g) const {
  return apply(SliceScatter{axis, ctx.shape(0)[axis], start, step}, g);
}

struct Flip {
  static constexpr const char* name = "flip";
  detail::AxisSet axes;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), a.dtype());
    detail::flip(bytes_of(a), mutable_bytes_of(out), a.shape().begin(), axes.has, a.rank(), width_of(a));
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return apply(*this, g); }
  Fields describe() const { return {{"axes", axes.list()}}; }
};

struct Roll {
  static constexpr const char* name = "roll";
  std::int64_t shift;
  int axis;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), a.dtype());
    detail::roll(bytes_of(a), mutable_bytes_of(out), around(a.shape(), axis), shift, width_of(a));
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return apply(Roll{-shift, axis}, g); }
  Fields describe() const { return {{"shift", shift}, {"axis", axis}}; }
};

// Consecutive parts of the given sizes along an axis.
struct Split {
  static constexpr const char* name = "split";
  int axis;
  Sizes sizes;

  Tensors forward(Context&, const Tensor& a) const {
    Tensors parts;
    std::vector<void*> to;
    for (const std::int64_t size : sizes) {
      parts.push_back(make_tensor(name, with_size(a.shape(), axis, size), a.dtype()));
      to.push_back(mutable_bytes_of(parts.back()));
    }
    const Collapsed shape = around(a.shape(), axis);
    if (a.size() > 0)
      detail::split(bytes_of(a), to.data(), sizes.data(), static_cast<int>(sizes.size()), shape.outer, shape.inner,
                    width_of(a));
    return parts;
  }
  Tensor backward(Context&, const Tensors& g) const { return concat(g, axis); }
  Fields describe() const { return {{"axis", axis}, {"sizes", sizes}}; }
};

struct Concat {
  static constexpr const char* name = "concat";
  int axis;

  Tensor forward(Context&, const Tensors& parts) const {
    Sizes sizes;
    std::vector<const void*> from;
    Shape shape = with_size(parts.front().shape(), axis, 0);
    for (const Tensor& part : parts) {
      sizes.push_back(part.shape()[axis]);
      from.push_back(bytes_of(part));
      if (__builtin_add_overflow(shape[axis], sizes.back(), &shape[axis]))
        fail("concat: the sizes along axis ", axis, " add up to more than 2^63");
    }
    Tensor out = make_tensor(name, shape, parts.front().dtype());
    const Collapsed around_axis = around(shape, axis);
    if (out.size() > 0)
      detail::concat(from.data(), sizes.data(), static_cast<int>(sizes.size()), mutable_bytes_of(out),
                     around_axis.outer, around_axis.inner, width_of(out));
    return out;
  }
  Tensors backward(Context& ctx, const Tensor& g) const {
    Sizes sizes;
    sizes.reserve(static_cast<std::size_t>(ctx.input_count()));
    bool all = true;
    for (int k = 0; k < ctx.input_count(); ++k) {
      sizes.push_back(ctx.shape(k)[axis]);
      all = all && ctx.needs(k);
    }
    if (all) return apply(Split{axis, sizes}, g);
    Tensors gradients(sizes.size());
    std::int64_t start = 0;
    for (std::size_t k = 0; k < sizes.size(); start += sizes[k++])
      if (ctx.needs(static_cast<int>(k))) gradients[k] = apply(Slice{axis, start, sizes[k], 1}, g);
    return gradients;
  }
  Fields describe() const { return {{"axis", axis}}; }
};

using Amounts = std::vector<std::pair<std::int64_t, std::int64_t>>;

Sizes flat(const Amounts& amounts) {
  Sizes list;
  for (const auto& [before, after] : amounts) list.insert(list.end(), {before, after});
  return list;
}

// What pad added, taken off again.
struct Crop {
  static constexpr const char* name = "crop";
  Amounts amounts;

  Tensor forward(Context&, const Tensor& a) const {
    const int rank = a.rank();
    Shape shape = a.shape();
    std::int64_t from[max_rank], to[max_rank], offset = 0, from_step = 1, to_step = 1;
    for (int i = rank - 1; i >= 0; --i) {
      const auto [before, after] = amounts[static_cast<std::size_t>(i)];
      shape[i] -= before + after;
      from[i] = from_step, to[i] = to_step;
      offset += before * from_step;
      from_step *= a.shape()[i], to_step *= shape[i];
    }
    Tensor out = make_tensor(name, shape, a.dtype());
    const auto* first = detail::data_of<std::byte>(a) + offset * width_of(a);
    if (out.size() > 0) detail::copy_strided(first, from, mutable_bytes_of(out), to, shape.begin(), rank, width_of(a));
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return pad(g, amounts); }
  Fields describe() const { return {{"amounts", flat(amounts)}}; }
};

struct Pad {
  static constexpr const char* name = "pad";
  Amounts amounts;
  double value;

  Tensor forward(Context&, const Tensor& a) const {
    Shape shape = a.shape();
    std::int64_t before[max_rank];
    for (int i = 0; i < a.rank(); ++i) {
      const auto [first, last] = amounts[static_cast<std::size_t>(i)];
      before[i] = first;
      if (__builtin_add_overflow(shape[i], first, &shape[i]) || __builtin_add_overflow(shape[i], last, &shape[i]))
        fail("pad: got amounts ", first, " and ", last, " for axis ", i, ", which add up to more than 2^63");
    }
    const Tensor filler = scalar(value, a.dtype());
    Tensor out = make_tensor(name, shape, a.dtype());
    if (a.size() == 0) return out.fill_(value);
    detail::pad_constant(bytes_of(a), a.shape().begin(), mutable_bytes_of(out), shape.begin(), before, bytes_of(filler),
                         a.rank(), width_of(a));
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return apply(Crop{amounts}, g); }
  Fields describe() const { return {{"amounts", flat(amounts)}, {"value", value}}; }
};

// The parts of concat and stack agree in dtype, rank and all sizes but the one along `axis` (-1: in all).
void check_parts(const char* op, const Tensors& parts, int axis) {
  const Tensor& first = parts.front();
  for (const Tensor& part : parts) {
    detail::check_same_dtype(op, first, part);
    bool fits = part.rank() == first.rank();
    for (int i = 0; fits && i < first.rank(); ++i) fits = i == axis || part.shape()[i] == first.shape()[i];
    if (!fits)
      fail(op, ": got shapes ", first.shape(), " and ", part.shape(), ", needs ",
           axis < 0 ? std::string("the same") : "the same but for axis " + std::to_string(axis));
  }
}

}  // namespace

Tensor reshape(const Tensor& a, const Shape& shape) {
  Shape full = shape;
  if (!detail::fill_open_size("reshape", full, a.size(), size_of(a.dtype())))
    fail("reshape: got ", shape, " for a tensor of shape ", a.shape(), ", needs sizes that make ", a.size(),
         " elements");
  return reshaped(a, full);
}

Tensor Tensor::operator[](std::int64_t i) const {
  if (rank() == 0) fail("[]: got a scalar, needs a tensor with a first axis");
  const std::int64_t n = shape()[0], at = i < 0 ? i + n : i;
  if (at < 0 || at >= n) fail("[]: got row ", i, " of shape ", shape(), ", needs ", -n, " <= row < ", n);
  Shape row = shape();
  row.erase(0);
  return reshape(slice(*this, 0, at, at + 1), row);
}

Tensor flatten(const Tensor& a, int first, int last) {
  if (a.rank() == 0 && first >= -1 && first <= 0 && last >= -1 && last <= 0) return reshaped(a, {1});
  const int from = detail::checked_axis("flatten", first, a.rank());
  const int to = detail::checked_axis("flatten", last, a.rank());
  if (from > to) fail("flatten: got first axis ", first, " after last axis ", last, " of shape ", a.shape());
  Shape shape = a.shape();
  for (int i = to; i > from; --i) {
    shape[i - 1] *= shape[i];
    shape.erase(i);
  }
  return reshaped(a, shape);
}

Tensor squeeze(const Tensor& a, int axis) {
  const int at = detail::checked_axis("squeeze", axis, a.rank());
  Shape shape = a.shape();
  if (shape[at] != 1) fail("squeeze: got axis ", axis, " of shape ", shape, ", needs one of size 1");
  shape.erase(at);
  return reshaped(a, shape);
}

Tensor unsqueeze(const Tensor& a, int axis) {
  Shape shape = a.shape();
  shape.insert(detail::checked_axis("unsqueeze", axis, a.rank() + 1), 1);
  return reshaped(a, shape);
}

Tensor permute(const Tensor& a, const Axes& order) {
  if (order.count() != a.rank())
    fail("permute: got order ", order, " for a tensor of shape ", a.shape(), ", needs each axis once");
  if (a.rank() > 0) detail::checked_axes("permute", order, a.rank());
  Axes full = order;
  for (int i = 0; i < a.rank(); ++i) full[i] = detail::checked_axis("permute", order[i], a.rank());
  return std::is_sorted(full.begin(), full.end()) ? a : apply(Permute{full}, a);
}

Tensor swap_axes(const Tensor& a, int i, int j) {
  const int one = detail::checked_axis("swap_axes", i, a.rank());
  const int other = detail::checked_axis("swap_axes", j, a.rank());
  Axes order;
  for (int k = 0; k < a.rank(); ++k) order.append(k);
  std::swap(order[one], order[other]);
  return apply(Permute{order}, a);
}

Tensor transpose(const Tensor& a) {
  if (a.rank() < 2) fail("transpose: got shape ", a.shape(), ", needs at least two axes");
  return swap_axes(a, -2, -1);
}

Tensor broadcast_to(const Tensor& a, const Shape& shape) {
  detail::checked_size("broadcast_to", shape, size_of(a.dtype()));
  if (!detail::broadcasts_to(a.shape(), shape))
    fail("broadcast_to: got shape ", a.shape(), " to bring to ", shape, ", needs axes of equal size or 1");
  return shape == a.shape() ? a : apply(BroadcastTo{shape}, a);
}

Tensor concat(const Tensors& parts, int axis) {
  if (parts.empty()) fail("concat: got no tensors, needs at least one");
  const int along = detail::checked_axis("concat", axis, parts.front().rank());
  check_parts("concat", parts, along);
  return apply(Concat{along}, parts);
}

Tensor stack(const Tensors& parts, int axis) {
  if (parts.empty()) fail("stack: got no tensors, needs at least one");
  const int along = detail::checked_axis("stack", axis, parts.front().rank() + 1);
  check_parts("stack", parts, -1);
  Tensors rows;
  for (const Tensor& part : parts) rows.push_back(unsqueeze(part, along));
  return concat(rows, along);
}

Tensors split(const Tensor& a, std::int64_t size, int axis) {
  const int along = detail::checked_axis("split", axis, a.rank());
  if (size < 1) fail("split: got parts of size ", size, ", needs at least 1");
  Sizes sizes;
  std::int64_t rest = a.shape()[along];
  do {
    sizes.push_back(std::min(rest, size));
    rest -= sizes.back();
  } while (rest > 0);
  return apply(Split{along, sizes}, a);
}

Tensors chunk(const Tensor& a, std::int64_t n, int axis) {
  const int along = detail::checked_axis("chunk", axis, a.rank());
  if (n < 1) fail("chunk: got ", n, " parts, needs at least 1");
  const std::int64_t size = a.shape()[along];
  return split(a, size == 0 ? 1 : (size - 1) / n + 1, along);
}

Tensor slice(const Tensor& a, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  const int along = detail::checked_axis("slice", axis, a.rank());
  const detail::Positions at = detail::positions("slice", start, stop, step, a.shape()[along]);
  return apply(Slice{along, at.start, at.count, at.step}, a);
}

Tensor flip(const Tensor& a, const Axes& axes) { return apply(Flip{detail::checked_axes("flip", axes, a.rank())}, a); }

Tensor roll(const Tensor& a, std::int64_t shift, int axis) {
  const int along = detail::checked_axis("roll", axis, a.rank());
  const std::int64_t n = std::max<std::int64_t>(a.shape()[along], 1);
  return apply(Roll{(shift % n + n) % n, along}, a);
}

Tensor pad(const Tensor& a, const std::vector<std::pair<std::int64_t, std::int64_t>>& amounts, double value) {
  if (amounts.size() != static_cast<std::size_t>(a.rank()))
    fail("pad: got ", amounts.size(), " pairs of amounts for shape ", a.shape(), ", needs one an axis");
  for (const auto& [before, after] : amounts)
    if (before < 0 || after < 0) fail("pad: got amounts ", before, " and ", after, ", needs at least 0");
  return apply(Pad{amounts, value}, a);
}

}  // namespace weft

#include <weft/ops/reduce.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/tape.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {
namespace {

using detail::AxisSet;
using detail::Collapsed;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// Which axes go, and the two shapes that follow.
struct Reduction {
  AxisSet axes;
  Shape kept, shape;  // with sizes of 1 where an axis goes; the result's
  std::int64_t count = 1;

  Reduction(const char* op, const Tensor& a, const Axes& list, bool keepdims)
      : axes(detail::checked_axes(op, list, a.rank())) {
    for (int i = 0; i < a.rank(); ++i) {
      kept.append(axes.has[i] ? 1 : a.shape()[i]);
      if (!axes.has[i] || keepdims) shape.append(kept[i]);
      if (axes.has[i]) count *= a.shape()[i];
    }
  }
  void check_not_empty(const char* op, const Tensor& a) const {
    if (count == 0) fail(op, ": got shape ", a.shape(), ", needs at least one value to reduce");
  }
};

// Calls kernel(in, collapsed) -> {outer, inner} for each group of neighbouring reduced axes, innermost group first.
// With no axis to go it is called once, with an axis of 1.
template <class Kernel>
Tensor by_groups(const Tensor& a, const Reduction& reduction, Kernel kernel) {
  Tensor result = a;
  std::int64_t inner = 1;
  bool done = false;
  for (int i = a.rank() - 1; i >= 0;) {
    if (!reduction.axes.has[i]) {
      inner *= a.shape()[i--];
      continue;
    }
    Collapsed group{.outer = 1, .axis = 1, .inner = inner};
    for (; i >= 0 && reduction.axes.has[i]; --i) group.axis *= a.shape()[i];
    for (int k = 0; k <= i; ++k) group.outer *= a.shape()[k];
    result = kernel(result, group);
    done = true;
  }
  if (!done) result = kernel(result, Collapsed{.outer = a.size()});
  return detail::alias(result, reduction.shape);
}

// The gradient of a sum: g beside every value that was added.
Tensor spread(const Tensor& g, const Shape& kept, const Shape& shape) { return broadcast_to(reshape(g, kept), shape); }

// What sums and products of T are kept in.
DType accumulated(DType dtype) { return is_floating(dtype) ? dtype : i64; }

// The sum of everything reduced, divided by a number.
template <class Self>
struct Total : Op<Self> {
  Shape in, kept;
  double divisor = 1;

  Tensor forward(Context&, const Tensor& a, const Reduction& reduction, double by) {
    in = a.shape();
    kept = reduction.kept;
    divisor = by;
    Tensor total = by_groups(a, reduction, [](const Tensor& t, Collapsed group) {
      Tensor out = make_tensor(Self::name, {group.outer, group.inner}, accumulated(t.dtype()));
      detail::visit_dtype(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        detail::reduce_sum(data_of<T>(t), mutable_data_of<detail::SumOf<T>>(out), group);
      });
      return out;
    });
    if (divisor != 1.0) total = total / divisor;  // a product with 1 / n would round twice
    return total;
  }
  Tensor backward(Context&, const Tensor& g) const { return spread(divisor == 1.0 ? g : g / divisor, kept, in); }
};
struct Sum : Total<Sum> {
  static constexpr const char* name = "sum";
};
struct Mean : Total<Mean> {
  static constexpr const char* name = "mean";
};

// The product of everything reduced.
struct Prod : Op<Prod> {
  static constexpr const char* name = "prod";
  Shape kept;
  Axes order;  // the axes that stay, then those that go
  std::int64_t count = 1;

  Tensor forward(Context& ctx, const Tensor& a, const Reduction& reduction) {
    kept = reduction.kept, count = reduction.count;
    for (const bool goes : {false, true})
      for (int i = 0; i < a.rank(); ++i)
        if (reduction.axes.has[i] == goes) order.append(i);
    ctx.save(a);
    return by_groups(a, reduction, [](const Tensor& t, Collapsed group) {
      Tensor out = make_tensor(name, {group.outer, group.inner}, accumulated(t.dtype()));
      detail::visit_dtype(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        detail::reduce_prod(data_of<T>(t), mutable_data_of<detail::SumOf<T>>(out), group);
      });
      return out;
    });
  }

  // The product as a tree: the left half times the right half until one column is left, and back. No division, so that
  // zeros need no care, and every step is an op with derivatives of its own.
  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor a = ctx.saved(0);
    if (count <= 1) return spread(g, kept, a.shape());
    const Tensor moved = permute(a, order);
    Tensor values = reshape(moved, {g.size(), count}), slope = reshape(g, {g.size(), 1});
    Tensors lefts, rights;
    while (values.size(1) > 1) {
      const std::int64_t n = values.size(1), half = (n + 1) / 2;
      Tensors halves = split(values, half, 1);
      if (n % 2 == 1) halves[1] = pad(halves[1], {{0, 0}, {0, 1}}, 1.0);
      lefts.push_back(halves[0]);
      rights.push_back(halves[1]);
      values = halves[0] * halves[1];
    }
    for (std::size_t level = lefts.size(); level-- > 0;) {
      slope = concat({slope * rights[level], slope * lefts[level]}, 1);
      const std::int64_t n = level == 0 ? count : lefts[level - 1].size(1);
      if (n % 2 == 1) slope = slice(slope, 1, 0, n);
    }
    Axes back = order;
    for (int i = 0; i < a.rank(); ++i) back[static_cast<int>(order[i])] = i;
    return permute(reshape(slope, moved.shape()), back);
  }
};

// The largest or smallest value; equal ones share the gradient. A nan along some axes has the gradient nan, one of all
// values shares the gradient with the other nans: PyTorch's amax and max.
template <class Self, bool largest>
struct Extreme : Op<Self> {
  Shape kept;
  AxisSet axes;

  Tensor forward(Context& ctx, const Tensor& a, const Reduction& reduction) {
    kept = reduction.kept;
    axes = reduction.axes;
    Tensor out = by_groups(a, reduction, [](const Tensor& t, Collapsed group) {
      Tensor result = make_tensor(Self::name, {group.outer, group.inner}, t.dtype());
      detail::visit_dtype(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (largest)
          detail::reduce_max(data_of<T>(t), mutable_data_of<T>(result), group);
        else
          detail::reduce_min(data_of<T>(t), mutable_data_of<T>(result), group);
      });
      return result;
    });
    ctx.save(a);
    ctx.save(out);
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor a = ctx.saved(0).detach(), best = reshape(ctx.saved(1).detach(), kept);
    Axes gone;
    for (int i = 0; i < a.rank(); ++i)
      if (axes.has[i]) gone.append(i);
    const bool all_nan = gone.count() == a.rank() && std::isnan(best.item());
    const Tensor chosen = (all_nan ? isnan(a) : equal(a, best)).to(a.dtype());
    const Tensor share = gone.count() == 0 ? chosen : chosen / sum(chosen, gone, true);
    return reshape(g, kept) * share;
  }
};
struct Max : Extreme<Max, true> {
  static constexpr const char* name = "max";
};
struct Min : Extreme<Min, false> {
  static constexpr const char* name = "min";
};

struct LogSumExp : Op<LogSumExp> {
  static constexpr const char* name = "logsumexp";
  Shape kept;

  Tensor forward(Context& ctx, const Tensor& a, const Reduction& reduction) {
    kept = reduction.kept;
    Tensor out = by_groups(a, reduction, [](const Tensor& t, Collapsed group) {
      Tensor result = make_tensor(name, {group.outer, group.inner}, t.dtype());
      detail::visit_floating(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        detail::reduce_logsumexp(data_of<T>(t), mutable_data_of<T>(result), group);
      });
      return result;
    });
    ctx.save(a);
    ctx.save(out);
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor y = ctx.saved(1);
    // A row of minus infinities: no slope, rather than infinity minus infinity.
    const Tensor level = reshape(where(equal(y, -std::numeric_limits<double>::infinity()), 0.0, y), kept);
    return reshape(g, kept) * exp(ctx.saved(0) - level);
  }
};

// What kernel(in, out, collapsed) says of the values, as Out: without a gradient.
template <class Out, class Kernel>
Tensor asked(const char* op, const Tensor& a, const Reduction& reduction, Kernel kernel) {
  return by_groups(a, reduction, [&](const Tensor& t, Collapsed group) {
    Tensor out = make_tensor(op, {group.outer, group.inner}, dtype_of<Out>);
    detail::visit_dtype(t.dtype(),
                        [&](auto zero) { kernel(data_of<decltype(zero)>(t), mutable_data_of<Out>(out), group); });
    return out;
  });
}

// f(a) where a is not 0, 0 where it is, with the gradient 0 there and not the infinity of a root.
template <class F>
Tensor off_zero(const Tensor& a, F f) {
  const Tensor zero = equal(a, 0.0);
  return where(zero, 0.0, f(where(zero, 1.0, a)));
}

template <class Kernel>
Tensor position(const char* op, const Tensor& a, int axis, bool keepdims, Kernel kernel) {
  const Reduction reduction(op, a, detail::checked_axis(op, axis, a.rank()), keepdims);
  reduction.check_not_empty(op, a);
  return asked<std::int64_t>(op, a, reduction, kernel);
}

}  // namespace

Tensor sum(const Tensor& a, const Axes& axes, bool keepdims) {
  return apply<Sum>(a, Reduction("sum", a, axes, keepdims), 1.0);
}

Tensor prod(const Tensor& a, const Axes& axes, bool keepdims) {
  return apply<Prod>(a, Reduction("prod", a, axes, keepdims));
}

Tensor mean(const Tensor& a, const Axes& axes, bool keepdims) {
  detail::check_floating("mean", a);
  const Reduction reduction("mean", a, axes, keepdims);
  reduction.check_not_empty("mean", a);
  return apply<Mean>(a, reduction, static_cast<double>(reduction.count));
}

Tensor max(const Tensor& a, const Axes& axes, bool keepdims) {
  const Reduction reduction("max", a, axes, keepdims);
  reduction.check_not_empty("max", a);
  return apply<Max>(a, reduction);
}

Tensor min(const Tensor& a, const Axes& axes, bool keepdims) {
  const Reduction reduction("min", a, axes, keepdims);
  reduction.check_not_empty("min", a);
  return apply<Min>(a, reduction);
}

Tensor var(const Tensor& a, const Axes& axes, bool keepdims, double correction) {
  detail::check_floating("var", a);
  const Reduction reduction("var", a, axes, keepdims);
  reduction.check_not_empty("var", a);
  const double left = static_cast<double>(reduction.count) - correction;
  return sum(square(a - mean(a, axes, true)), axes, keepdims) / (left > 0 ? left : 0.0);
}

Tensor std(const Tensor& a, const Axes& axes, bool keepdims, double correction) {
  detail::check_floating("std", a);
  Reduction("std", a, axes, keepdims).check_not_empty("std", a);
  return off_zero(var(a, axes, keepdims, correction), [](const Tensor& v) { return sqrt(v); });
}

Tensor norm(const Tensor& a, const Axes& axes, bool keepdims, double p) {
  detail::check_floating("norm", a);
  if (!(p > 0)) fail("norm: got p = ", p, ", needs p > 0");
  const Reduction reduction("norm", a, axes, keepdims);
  if (std::isinf(p)) {
    reduction.check_not_empty("norm", a);
    return max(abs(a), axes, keepdims);
  }
  if (p == 1) return sum(abs(a), axes, keepdims);
  if (p == 2) return off_zero(sum(square(a), axes, keepdims), [](const Tensor& s) { return sqrt(s); });
  const Tensor powers = off_zero(abs(a), [p](const Tensor& x) { return pow(x, p); });
  return off_zero(sum(powers, axes, keepdims), [p](const Tensor& s) { return pow(s, 1 / p); });
}

Tensor any(const Tensor& a, const Axes& axes, bool keepdims) {
  return asked<std::uint8_t>(
      "any", a, Reduction("any", a, axes, keepdims),
      [](const auto* in, std::uint8_t* out, Collapsed group) { detail::reduce_any(in, out, group); });
}

Tensor all(const Tensor& a, const Axes& axes, bool keepdims) {
  return asked<std::uint8_t>(
      "all", a, Reduction("all", a, axes, keepdims),
      [](const auto* in, std::uint8_t* out, Collapsed group) { detail::reduce_all(in, out, group); });
}

Tensor logsumexp(const Tensor& a, const Axes& axes, bool keepdims) {
  detail::check_floating("logsumexp", a);
  if (a.rank() == 0) return reshape(logsumexp(reshape(a, {1}), axes), {});  // a scalar has an axis 0, as in PyTorch
  const Reduction reduction("logsumexp", a, axes, keepdims);
  return apply<LogSumExp>(a, reduction);
}

Tensor argmax(const Tensor& a, int axis, bool keepdims) {
  return position("argmax", a, axis, keepdims,
                  [](const auto* in, std::int64_t* out, Collapsed group) { detail::reduce_argmax(in, out, group); });
}

Tensor argmin(const Tensor& a, int axis, bool keepdims) {
  return position("argmin", a, axis, keepdims,
                  [](const auto* in, std::int64_t* out, Collapsed group) { detail::reduce_argmin(in, out, group); });
}

Tensor sum_to(const Tensor& a, const Shape& shape) {
  if (a.shape() == shape) return a;
  if (!detail::broadcasts_to(shape, a.shape())) fail("sum_to: shape ", shape, " does not broadcast to ", a.shape());
  const int extra = a.rank() - shape.rank();
  Axes axes;
  for (int i = 0; i < a.rank(); ++i)
    if (i < extra || shape[i - extra] != a.shape()[i]) axes.append(i);
  if (axes.count() == 0) return reshape(a, shape);
  return reshape(sum(a, axes, true), shape);
}

}  // namespace weft

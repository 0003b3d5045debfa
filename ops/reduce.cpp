#include <weft/ops/reduce.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/elementwise.hpp>
#include <weft/ops/detail/product_of_others.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {
namespace {

using detail::accumulated;
using detail::AxisSet;
using detail::Collapsed;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// Which axes go, and whether they stay with size 1.
struct Over {
  AxisSet axes;
  bool keepdims;

  Over(const char* op, const Tensor& a, const Axes& list, bool keep)
      : axes(detail::checked_axes(op, list, a.rank())), keepdims(keep) {}

  // The shape with sizes of 1 where an axis goes.
  Shape kept(Shape shape) const {
    for (int i = 0; i < shape.rank(); ++i)
      if (axes.has[i]) shape[i] = 1;
    return shape;
  }
  // The result's.
  Shape result(const Shape& shape) const {
    if (keepdims) return kept(shape);
    Shape left;
    for (int i = 0; i < shape.rank(); ++i)
      if (!axes.has[i]) left.append(shape[i]);
    return left;
  }
  std::int64_t count(const Shape& shape) const {
    std::int64_t n = 1;
    for (int i = 0; i < shape.rank(); ++i)
      if (axes.has[i]) n *= shape[i];
    return n;
  }
  Fields describe() const { return {{"axes", axes.list()}, {"keepdims", keepdims}}; }

  void check_not_empty(const char* op, const Tensor& a) const {
    if (count(a.shape()) == 0) fail(op, ": got shape ", a.shape(), ", needs at least one value to reduce");
  }
};

// Calls kernel(in, collapsed) -> {outer, inner} for each group of neighbouring reduced axes, innermost group first.
// With no axis to go it is called once, with an axis of 1.
template <class Kernel>
Tensor by_groups(const Tensor& a, const Over& over, Kernel kernel) {
  Tensor result = a;
  std::int64_t inner = 1;
  bool done = false;
  for (int i = a.rank() - 1; i >= 0;) {
    if (!over.axes.has[i]) {
      inner *= a.shape()[i--];
      continue;
    }
    Collapsed group{.outer = 1, .axis = 1, .inner = inner};
    for (; i >= 0 && over.axes.has[i]; --i) group.axis *= a.shape()[i];
    for (int k = 0; k <= i; ++k) group.outer *= a.shape()[k];
    result = kernel(result, group);
    done = true;
  }
  if (!done) result = kernel(result, Collapsed{.outer = a.size()});
  return detail::alias(result, over.result(a.shape()));
}

// The gradient of a sum: g beside every value that was added.
Tensor spread(const Tensor& g, const Over& over, const Shape& shape) {
  return broadcast_to(reshape(g, over.kept(shape)), shape);
}

// The sum of everything reduced, or its mean.
template <bool mean>
struct Total {
  static constexpr const char* name = mean ? "mean" : "sum";
  Over over;

  Tensor forward(Context&, const Tensor& a) const {
    const Tensor total = by_groups(a, over, [](const Tensor& t, Collapsed group) {
      Tensor out = make_tensor(name, {group.outer, group.inner}, accumulated(t.dtype()));
      detail::visit_dtype(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        detail::reduce_sum(data_of<T>(t), mutable_data_of<detail::SumOf<T>>(out), group);
      });
      return out;
    });
    return shared(total, a.shape());
  }
  Tensor backward(Context& ctx, const Tensor& g) const { return spread(shared(g, ctx.shape(0)), over, ctx.shape(0)); }
  Fields describe() const { return over.describe(); }

  // Divided by the count: a product with 1 / n would round twice.
  Tensor shared(const Tensor& total, const Shape& in) const {
    if constexpr (!mean) return total;
    const std::int64_t n = over.count(in);
    return n == 1 ? total : total / static_cast<double>(n);
  }
};

// The sum of the squares of everything reduced.
struct SumOfSquares {
  static constexpr const char* name = "sum_of_squares";
  Over over;

  Tensor forward(Context& ctx, const Tensor& a) const {
    ctx.save(a);
    bool squared = false;
    return by_groups(a, over, [&](const Tensor& t, Collapsed group) {
      Tensor out = make_tensor(name, {group.outer, group.inner}, t.dtype());
      detail::visit_floating(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        (squared ? detail::reduce_sum<T> : detail::reduce_sum_squares<T>)(data_of<T>(t), mutable_data_of<T>(out),
                                                                          group);
      });
      squared = true;
      return out;
    });
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    return reshape(2.0 * g, over.kept(ctx.shape(0))) * ctx.saved(0);
  }
  Fields describe() const { return over.describe(); }
};

// The product of everything reduced.
struct Prod {
  static constexpr const char* name = "prod";
  Over over;

  Tensor forward(Context& ctx, const Tensor& a) const {
    ctx.save(a);
    return by_groups(a, over, [](const Tensor& t, Collapsed group) {
      Tensor out = make_tensor(name, {group.outer, group.inner}, accumulated(t.dtype()));
      detail::visit_dtype(t.dtype(), [&](auto zero) {
        using T = decltype(zero);
        detail::reduce_prod(data_of<T>(t), mutable_data_of<detail::SumOf<T>>(out), group);
      });
      return out;
    });
  }

  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor a = ctx.saved(0);
    Axes order;  // the axes that go beside one another, where the first of them was
    int first = 0;
    while (first < a.rank() && !over.axes.has[first]) order.append(first++);
    for (const bool goes : {true, false})
      for (int i = first; i < a.rank(); ++i)
        if (over.axes.has[i] == goes) order.append(i);
    const Tensor moved = permute(a, order);
    const std::int64_t count = over.count(a.shape());
    std::int64_t outer = 1, inner = 1;
    for (int i = 0; i < a.rank(); ++i)
      if (!over.axes.has[i]) (i < first ? outer : inner) *= a.shape()[i];
    const Tensor slope =
        reshape(g, {outer, 1, inner}) * detail::product_of_others(reshape(moved, {outer, count, inner}), 1);
    Axes back = order;
    for (int i = 0; i < a.rank(); ++i) back[static_cast<int>(order[i])] = i;
    return permute(reshape(slope, moved.shape()), back);
  }
  Fields describe() const { return over.describe(); }
};

// The largest or smallest value; equal ones share the gradient. A nan along some axes has the gradient nan, one of all
// values shares the gradient with the other nans: PyTorch's amax and max.
template <bool largest>
struct Extreme {
  static constexpr const char* name = largest ? "max" : "min";
  Over over;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor out = by_groups(a, over, [](const Tensor& t, Collapsed group) {
      Tensor result = make_tensor(name, {group.outer, group.inner}, t.dtype());
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
    const Tensor a = ctx.saved(0).detach(), best = reshape(ctx.saved(1).detach(), over.kept(a.shape()));
    const Axes gone = over.axes.list();
    const bool all_nan = gone.count() == a.rank() && std::isnan(best.item());
    const Tensor chosen = (all_nan ? isnan(a) : equal(a, best)).to(a.dtype());
    const Tensor share = gone.count() == 0 ? chosen : chosen / sum(chosen, gone, true);
    return reshape(g, best.shape()) * share;
  }
  Fields describe() const { return over.describe(); }
};

// A gradient times exp(x - level), in one pass.
struct TimesShare {
  static constexpr const char* name = "times_share";
  static auto value(auto g, auto x, auto level) { return g * exp(x - level); }
  static constexpr auto d0(auto gg, auto, auto x, auto level, auto) { return gg * exp(x - level); }
  static constexpr auto d1(auto gg, auto, auto, auto, auto y) { return gg * y; }
  static constexpr auto d2(auto gg, auto, auto, auto, auto y) { return -gg * y; }
};

struct LogSumExp {
  static constexpr const char* name = "logsumexp";
  Over over;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor out = by_groups(a, over, [](const Tensor& t, Collapsed group) {
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
    const Shape kept = over.kept(ctx.shape(0));
    // A row of minus infinities: no slope, rather than infinity minus infinity.
    const Tensor level = reshape(where(equal(y, -std::numeric_limits<double>::infinity()), 0.0, y), kept);
    return detail::apply(TimesShare{}, reshape(g, kept), ctx.saved(0), level);
  }
  Fields describe() const { return over.describe(); }
};

// What is asked of the values, and the dtype of the answer: without a gradient.
struct AnyOf {
  static constexpr const char* name = "any";
  using Answer = std::uint8_t;
  static constexpr auto kernel = [](auto... arguments) { detail::reduce_any(arguments...); };
};
struct AllOf {
  static constexpr const char* name = "all";
  using Answer = std::uint8_t;
  static constexpr auto kernel = [](auto... arguments) { detail::reduce_all(arguments...); };
};
struct ArgMax {
  static constexpr const char* name = "argmax";
  using Answer = std::int64_t;
  static constexpr auto kernel = [](auto... arguments) { detail::reduce_argmax(arguments...); };
};
struct ArgMin {
  static constexpr const char* name = "argmin";
  using Answer = std::int64_t;
  static constexpr auto kernel = [](auto... arguments) { detail::reduce_argmin(arguments...); };
};

template <class Question>
struct Asked {
  static constexpr const char* name = Question::name;
  Over over;

  Tensor forward(Context&, const Tensor& a) const {
    using Answer = typename Question::Answer;
    return by_groups(a, over, [](const Tensor& t, Collapsed group) {
      Tensor out = make_tensor(name, {group.outer, group.inner}, dtype_of<Answer>);
      detail::visit_dtype(t.dtype(), [&](auto zero) {
        Question::kernel(data_of<decltype(zero)>(t), mutable_data_of<Answer>(out), group);
      });
      return out;
    });
  }
  Fields describe() const { return over.describe(); }
};

template <class Question>
Tensor position(const Tensor& a, int axis, bool keepdims) {
  const Over over(Question::name, a, detail::checked_axis(Question::name, axis, a.rank()), keepdims);
  over.check_not_empty(Question::name, a);
  return apply(Asked<Question>{over}, a);
}

// f(a) where a is not 0, 0 where it is, with the gradient 0 there and not the infinity of a root.
template <class F>
Tensor off_zero(const Tensor& a, F f) {
  const Tensor zero = equal(a, 0.0);
  return where(zero, 0.0, f(where(zero, 1.0, a)));
}

}  // namespace

Tensor sum(const Tensor& a, const Axes& axes, bool keepdims) {
  return apply(Total<false>{{"sum", a, axes, keepdims}}, a);
}

Tensor prod(const Tensor& a, const Axes& axes, bool keepdims) { return apply(Prod{{"prod", a, axes, keepdims}}, a); }

Tensor mean(const Tensor& a, const Axes& axes, bool keepdims) {
  if (a.dtype() == u8) return mean(a.to(f32), axes, keepdims);
  detail::check_floating("mean", a);
  const Over over("mean", a, axes, keepdims);
  over.check_not_empty("mean", a);
  return apply(Total<true>{over}, a);
}

Tensor max(const Tensor& a, const Axes& axes, bool keepdims) {
  const Over over("max", a, axes, keepdims);
  over.check_not_empty("max", a);
  return apply(Extreme<true>{over}, a);
}

Tensor min(const Tensor& a, const Axes& axes, bool keepdims) {
  const Over over("min", a, axes, keepdims);
  over.check_not_empty("min", a);
  return apply(Extreme<false>{over}, a);
}

Tensor var(const Tensor& a, const Axes& axes, bool keepdims, double correction) {
  detail::check_floating("var", a);
  const Over over("var", a, axes, keepdims);
  over.check_not_empty("var", a);
  const double left = static_cast<double>(over.count(a.shape())) - correction;
  return apply(SumOfSquares{over}, a - mean(a, axes, true)) / (left > 0 ? left : 0.0);
}

Tensor stddev(const Tensor& a, const Axes& axes, bool keepdims, double correction) {
  detail::check_floating("stddev", a);
  Over("stddev", a, axes, keepdims).check_not_empty("stddev", a);
  return off_zero(var(a, axes, keepdims, correction), [](const Tensor& v) { return sqrt(v); });
}

Tensor norm(const Tensor& a, const Axes& axes, bool keepdims, double p) {
  detail::check_floating("norm", a);
  if (!(p > 0)) fail("norm: got p = ", p, ", needs p > 0");
  const Over over("norm", a, axes, keepdims);
  if (std::isinf(p)) {
    over.check_not_empty("norm", a);
    return max(abs(a), axes, keepdims);
  }
  if (p == 1) return sum(abs(a), axes, keepdims);
  if (p == 2) return off_zero(apply(SumOfSquares{over}, a), [](const Tensor& s) { return sqrt(s); });
  const Tensor powers = off_zero(abs(a), [p](const Tensor& x) { return pow(x, p); });
  return off_zero(sum(powers, axes, keepdims), [p](const Tensor& s) { return pow(s, 1 / p); });
}

Tensor any(const Tensor& a, const Axes& axes, bool keepdims) {
  return apply(Asked<AnyOf>{{"any", a, axes, keepdims}}, a);
}

Tensor all(const Tensor& a, const Axes& axes, bool keepdims) {
  return apply(Asked<AllOf>{{"all", a, axes, keepdims}}, a);
}

Tensor logsumexp(const Tensor& a, const Axes& axes, bool keepdims) {
  detail::check_floating("logsumexp", a);
  if (a.rank() == 0) return reshape(logsumexp(reshape(a, {1}), axes), {});  // a scalar has an axis 0, as in PyTorch
  const Over over("logsumexp", a, axes, keepdims);
  return apply(LogSumExp{over}, a);
}

Tensor argmax(const Tensor& a, int axis, bool keepdims) { return position<ArgMax>(a, axis, keepdims); }

Tensor argmin(const Tensor& a, int axis, bool keepdims) { return position<ArgMin>(a, axis, keepdims); }

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

#include <weft/ops/scan.hpp>

#include <array>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/kernels/scan/scan.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::around;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// What running sums and products of a dtype are given in.
DType accumulated(DType dtype) { return is_floating(dtype) ? dtype : i64; }

struct CumSum {
  static constexpr const char* name = "cumsum";
  int axis;
  bool backwards;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), accumulated(a.dtype()));
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::running_sum(data_of<T>(a), mutable_data_of<detail::ScanOf<T>>(out), around(a.shape(), axis), backwards);
    });
    return out;
  }
  Tensor backward(Context&, const Tensor& g) const { return apply(CumSum{axis, !backwards}, g); }
  Fields describe() const { return {{"axis", axis}, {"backwards", backwards}}; }
};

// One position further along the axis, with `first` in the place of what is missing.
Tensor shifted(const Tensor& a, int axis, double first) {
  std::vector<std::pair<std::int64_t, std::int64_t>> amounts(static_cast<std::size_t>(a.rank()));
  amounts[static_cast<std::size_t>(axis)].first = 1;
  return pad(slice(a, axis, 0, a.shape()[axis] - 1), amounts, first);
}

// y[k] = b[k] + c[k] y[k - 1]; backwards y[k] = b[k] + c[k + 1] y[k + 1]: each is the other's adjoint.
struct Recurrence {
  static constexpr const char* name = "recurrence";
  int axis;
  bool backwards;

  Tensor forward(Context& ctx, const Tensor& b, const Tensor& c) const {
    Tensor out = make_tensor(name, b.shape(), b.dtype());
    detail::visit_floating(b.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::recurrence(data_of<T>(b), data_of<T>(c), mutable_data_of<T>(out), around(b.shape(), axis), backwards);
    });
    ctx.save(c);
    if (ctx.needs(1)) ctx.save(out);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const Tensor h = apply(Recurrence{axis, !backwards}, g, ctx.saved(0));
    if (!ctx.needs(1)) return {h, Tensor()};
    const Tensor y = ctx.saved(1);
    return {h, backwards ? shifted(h, axis, 0) * y : h * shifted(y, axis, 0)};
  }
  Fields describe() const { return {{"axis", axis}, {"backwards", backwards}}; }
};

struct CumProd {
  static constexpr const char* name = "cumprod";
  int axis;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), accumulated(a.dtype()));
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::running_product(data_of<T>(a), mutable_data_of<detail::ScanOf<T>>(out), around(a.shape(), axis));
    });
    ctx.save(a);
    ctx.save(out);
    return out;
  }
  // Of a[k]: the product before it, times what follows of the gradient, weighted with the products since. No division,
  // so that zeros need no care.
  Tensor backward(Context& ctx, const Tensor& g) const {
    if (g.size() == 0) return g;
    return shifted(ctx.saved(1), axis, 1) * apply(Recurrence{axis, true}, g, ctx.saved(0));
  }
  Fields describe() const { return {{"axis", axis}}; }
};

}  // namespace

Tensor cumsum(const Tensor& a, int axis) {
  return apply(CumSum{detail::checked_axis("cumsum", axis, a.rank()), false}, a);
}

Tensor cumprod(const Tensor& a, int axis) { return apply(CumProd{detail::checked_axis("cumprod", axis, a.rank())}, a); }

}  // namespace weft

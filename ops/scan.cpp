#include <weft/ops/scan.hpp>

#include <array>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/detail/product_of_others.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/kernels/scan/scan.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::accumulated;
using detail::around;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

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

// One position further along the axis, or backwards, with a zero in the place of what is missing.
Tensor shifted(const Tensor& a, int axis, bool backwards) {
  std::vector<std::pair<std::int64_t, std::int64_t>> amounts(static_cast<std::size_t>(a.rank()));
  amounts[static_cast<std::size_t>(axis)] = {backwards ? 0 : 1, backwards ? 1 : 0};
  const std::int64_t n = a.shape()[axis];
  if (n == 0) return a;
  return pad(backwards ? slice(a, axis, 1, n) : slice(a, axis, 0, n - 1), amounts);
}

// y[k] = b[k] + c[k] y[k - 1] or, if not `own`, b[k] + c[k - 1] y[k - 1]; backwards k + 1 in the place of k - 1. The
// adjoint runs the other way, with the other coefficients.
struct Recurrence {
  static constexpr const char* name = "recurrence";
  int axis;
  bool backwards, own;

  Tensor forward(Context& ctx, const Tensor& b, const Tensor& c) const {
    Tensor out = make_tensor(name, b.shape(), b.dtype());
    detail::visit_floating(b.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::recurrence(data_of<T>(b), data_of<T>(c), mutable_data_of<T>(out), around(b.shape(), axis), backwards,
                         own);
    });
    ctx.save(c);
    if (ctx.needs(1)) ctx.save(out);
    return out;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const Tensor h = apply(Recurrence{axis, !backwards, !own}, g, ctx.saved(0));
    if (!ctx.needs(1)) return {h, Tensor()};
    const Tensor y = ctx.saved(1);
    return {h, own ? h * shifted(y, axis, backwards) : shifted(h, axis, !backwards) * y};
  }
  Fields describe() const { return {{"axis", axis}, {"backwards", backwards}, {"own", own}}; }
};

// The gradient of a running product, inclusive, g being that of its results. Of x[k]: the product before it, times what
// follows of the gradient, weighted with the products since. No division, so that zeros need no care.
Tensor running_product_slope(const Tensor& g, const Tensor& x, int axis, bool backwards);

// The product of all values before each along an axis, or of all behind it.
struct ProductBefore {
  static constexpr const char* name = "product_before";
  int axis;
  bool backwards;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::product_before(data_of<T>(a), mutable_data_of<T>(out), around(a.shape(), axis), backwards);
    });
    ctx.save(a);
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    return running_product_slope(shifted(g, axis, !backwards), ctx.saved(0), axis, backwards);
  }
  Fields describe() const { return {{"axis", axis}, {"backwards", backwards}}; }
};

Tensor running_product_slope(const Tensor& g, const Tensor& x, int axis, bool backwards) {
  return apply(ProductBefore{axis, backwards}, x) * apply(Recurrence{axis, !backwards, false}, g, x);
}

// For each value the product of all others along an axis. Its slope goes by those before it and those behind.
struct ProductOfOthers {
  static constexpr const char* name = "product_of_others";
  int axis;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::product_of_others(data_of<T>(a), mutable_data_of<T>(out), around(a.shape(), axis));
    });
    ctx.save(a);
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor a = ctx.saved(0);
    const Tensor before = apply(ProductBefore{axis, false}, a), behind = apply(ProductBefore{axis, true}, a);
    return running_product_slope(shifted(g * behind, axis, true), a, axis, false) +
           running_product_slope(shifted(g * before, axis, false), a, axis, true);
  }
  Fields describe() const { return {{"axis", axis}}; }
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
    return out;
  }
  Tensor backward(Context& ctx, const Tensor& g) const { return running_product_slope(g, ctx.saved(0), axis, false); }
  Fields describe() const { return {{"axis", axis}}; }
};

}  // namespace

Tensor cumsum(const Tensor& a, int axis) {
  return apply(CumSum{detail::checked_axis("cumsum", axis, a.rank()), false}, a);
}

Tensor cumprod(const Tensor& a, int axis) { return apply(CumProd{detail::checked_axis("cumprod", axis, a.rank())}, a); }

Tensor detail::product_of_others(const Tensor& a, int axis) { return apply(ProductOfOthers{axis}, a); }

}  // namespace weft

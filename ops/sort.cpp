#include <weft/ops/sort.hpp>

#include <algorithm>
#include <cmath>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/kernels/sort/sort.hpp>
#include <weft/ops/reshape.hpp>

namespace weft {
namespace {

using detail::around;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using detail::with_size;

// Positions along an axis, without a gradient: take_along has that of the values.
struct ArgSort {
  static constexpr const char* name = "argsort";
  int axis;
  bool descending;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, a.shape(), i64);
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      detail::order_positions(data_of<decltype(zero)>(a), mutable_data_of<std::int64_t>(out), around(a.shape(), axis),
                              descending);
    });
    return out;
  }
  Fields describe() const { return {{"axis", axis}, {"descending", descending}}; }
};

struct ArgTopK {
  static constexpr const char* name = "topk";
  int axis;
  std::int64_t k;
  bool largest;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, with_size(a.shape(), axis, k), i64);
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      detail::first_positions(data_of<decltype(zero)>(a), mutable_data_of<std::int64_t>(out), around(a.shape(), axis),
                              k, largest);
    });
    return out;
  }
  Fields describe() const { return {{"axis", axis}, {"k", k}, {"largest", largest}}; }
};

// Those of `count` values from a rank on, 1 or 2; where there is a nan, of the first nan.
struct Ranked {
  static constexpr const char* name = "ranked";
  int axis;
  std::int64_t rank, count;

  Tensor forward(Context&, const Tensor& a) const {
    Tensor out = make_tensor(name, with_size(a.shape(), axis, count), i64);
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      detail::ranked_positions(data_of<decltype(zero)>(a), mutable_data_of<std::int64_t>(out), around(a.shape(), axis),
                               rank, count);
    });
    return out;
  }
  Fields describe() const { return {{"axis", axis}, {"rank", rank}, {"count", count}}; }
};

int checked_not_empty(const char* op, const Tensor& a, int axis) {
  const int along = detail::checked_axis(op, axis, a.rank());
  if (a.shape()[along] == 0) fail(op, ": got shape ", a.shape(), ", needs at least one value along axis ", along);
  return along;
}

}  // namespace

Tensor argsort(const Tensor& a, int axis, bool descending) {
  return apply(ArgSort{detail::checked_axis("argsort", axis, a.rank()), descending}, a);
}

Ordered sort(const Tensor& a, int axis, bool descending) {
  const int along = detail::checked_axis("sort", axis, a.rank());
  const Tensor indices = apply(ArgSort{along, descending}, a);
  return {take_along(a, along, indices), indices};
}

Ordered topk(const Tensor& a, std::int64_t k, int axis, bool largest) {
  const int along = detail::checked_axis("topk", axis, a.rank());
  if (k < 0 || k > a.shape()[along])
    fail("topk: got k = ", k, " for axis ", along, " of shape ", a.shape(), ", needs 0 <= k <= ", a.shape()[along]);
  const Tensor indices = apply(ArgTopK{along, k, largest}, a);
  return {take_along(a, along, indices), indices};
}

Tensor median(const Tensor& a, int axis, bool keepdims) {
  const int along = checked_not_empty("median", a, axis);
  const Tensor middle = take_along(a, along, apply(Ranked{along, (a.shape()[along] - 1) / 2, 1}, a));
  return keepdims ? middle : squeeze(middle, along);
}

Tensor quantile(const Tensor& a, double q, int axis, bool keepdims) {
  detail::check_floating("quantile", a);
  if (!(q >= 0 && q <= 1)) fail("quantile: got q = ", q, ", needs 0 <= q <= 1");
  const int along = checked_not_empty("quantile", a, axis);
  const double place = q * static_cast<double>(a.shape()[along] - 1), below = std::floor(place);
  const std::int64_t count = place > below ? 2 : 1;
  Tensor value = take_along(a, along, apply(Ranked{along, static_cast<std::int64_t>(below), count}, a));
  if (count == 2) {
    const Tensor low = slice(value, along, 0, 1);
    value = low + (slice(value, along, 1, 2) - low) * (place - below);
  }
  return keepdims ? value : squeeze(value, along);
}

}  // namespace weft

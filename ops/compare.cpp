#include <weft/ops/compare.hpp>

#include <algorithm>
#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/engine/number.hpp>
#include <weft/engine/tape.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/kernels/broadcast.hpp>

namespace weft {
namespace {

using detail::BroadcastLoop;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// out = f(a, b), u8, broadcast.
template <class F>
Tensor compared(const char* op, const Tensor& a, const Tensor& b, F f) {
  detail::check_same_dtype(op, a, b);
  const Shape shape = detail::broadcast_shapes(op, a.shape(), b.shape());
  Tensor out = make_tensor(op, shape, u8);
  auto* to = mutable_data_of<std::uint8_t>(out);
  const BroadcastLoop<2> loop(shape, {a.shape(), b.shape()});
  detail::visit_dtype(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* pa = data_of<T>(a);
    const T* pb = data_of<T>(b);
    loop.for_rows(0, loop.rows(), [&](std::int64_t at, const std::int64_t* offsets) {
      const T* ra = pa + offsets[0];
      const T* rb = pb + offsets[1];
      const std::int64_t sa = loop.step[0][0], sb = loop.step[1][0];
      if (sa == 1 && sb == 1)
        for (std::int64_t i = 0; i < loop.inner(); ++i) to[at + i] = f(ra[i], rb[i]);
      else
        for (std::int64_t i = 0; i < loop.inner(); ++i) to[at + i] = f(ra[i * sa], rb[i * sb]);
    });
  });
  return out;
}

template <class F>
Tensor compared(const char* op, const Tensor& a, double b, F f) {
  // Integers are compared with a number as numbers: 0.5 lies between 0 and 1, -1 below every byte.
  const Tensor values = is_floating(a.dtype()) ? a : a.to(f64);
  return compared(op, values, scalar(b, values.dtype()), f);
}

constexpr auto is_equal = [](auto a, auto b) -> std::uint8_t { return a == b; };
constexpr auto is_not_equal = [](auto a, auto b) -> std::uint8_t { return a != b; };
constexpr auto is_less = [](auto a, auto b) -> std::uint8_t { return a < b; };
constexpr auto is_less_equal = [](auto a, auto b) -> std::uint8_t { return a <= b; };
constexpr auto is_greater = [](auto a, auto b) -> std::uint8_t { return a > b; };
constexpr auto is_greater_equal = [](auto a, auto b) -> std::uint8_t { return a >= b; };

void check_mask(const char* op, const Tensor& t) {
  if (t.dtype() != u8) fail(op, ": got ", t.dtype(), " ", t.shape(), ", needs u8");
}

template <class F>
Tensor tested(const char* op, const Tensor& a, F f) {
  Tensor out = make_tensor(op, a.shape(), u8);
  auto* to = mutable_data_of<std::uint8_t>(out);
  detail::visit_dtype(a.dtype(), [&](auto zero) {
    const auto* from = data_of<decltype(zero)>(a);
    for (std::int64_t i = 0; i < a.size(); ++i) to[i] = f(static_cast<double>(from[i]));
  });
  return out;
}

// Chooses element by element; the mask is u8, a and b share a dtype.
struct Where : Op<Where> {
  static constexpr const char* name = "where";

  static Tensor forward(Context& ctx, const Tensor& mask, const Tensor& a, const Tensor& b) {
    if (mask.dtype() != u8) fail("where: got a mask of ", mask.dtype(), " ", mask.shape(), ", needs u8");
    detail::check_same_dtype(name, a, b);
    const Shape shape =
        detail::broadcast_shapes(name, mask.shape(), detail::broadcast_shapes(name, a.shape(), b.shape()));
    Tensor out = make_tensor(name, shape, a.dtype());
    const BroadcastLoop<3> loop(shape, {mask.shape(), a.shape(), b.shape()});
    const std::int64_t sm = loop.step[0][0], sa = loop.step[1][0], sb = loop.step[2][0];
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      loop.for_rows(0, loop.rows(), [&](std::int64_t at, const std::int64_t* offsets) {
        const std::uint8_t* m = data_of<std::uint8_t>(mask) + offsets[0];
        const T* ra = data_of<T>(a) + offsets[1];
        const T* rb = data_of<T>(b) + offsets[2];
        T* to = mutable_data_of<T>(out) + at;
        for (std::int64_t i = 0; i < loop.inner(); ++i) to[i] = m[i * sm] != 0 ? ra[i * sa] : rb[i * sb];
      });
    });
    ctx.save(mask);
    return out;
  }
  static std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) {
    const Tensor mask = ctx.saved(0);
    std::array<Tensor, 3> gradients;
    if (ctx.needs(1)) gradients[1] = where(mask, g, 0.0);
    if (ctx.needs(2)) gradients[2] = where(mask, 0.0, g);
    return gradients;
  }
};

}  // namespace

Tensor equal(const Tensor& a, const Tensor& b) { return compared("equal", a, b, is_equal); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return compared("not_equal", a, b, is_not_equal); }
Tensor less(const Tensor& a, const Tensor& b) { return compared("less", a, b, is_less); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return compared("less_equal", a, b, is_less_equal); }
Tensor greater(const Tensor& a, const Tensor& b) { return compared("greater", a, b, is_greater); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return compared("greater_equal", a, b, is_greater_equal); }
Tensor equal(const Tensor& a, double b) { return compared("equal", a, b, is_equal); }
Tensor not_equal(const Tensor& a, double b) { return compared("not_equal", a, b, is_not_equal); }
Tensor less(const Tensor& a, double b) { return compared("less", a, b, is_less); }
Tensor less_equal(const Tensor& a, double b) { return compared("less_equal", a, b, is_less_equal); }
Tensor greater(const Tensor& a, double b) { return compared("greater", a, b, is_greater); }
Tensor greater_equal(const Tensor& a, double b) { return compared("greater_equal", a, b, is_greater_equal); }

Tensor logical_and(const Tensor& a, const Tensor& b) {
  check_mask("logical_and", a);
  return compared("logical_and", a, b, [](auto x, auto y) -> std::uint8_t { return x != 0 && y != 0; });
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  check_mask("logical_or", a);
  return compared("logical_or", a, b, [](auto x, auto y) -> std::uint8_t { return x != 0 || y != 0; });
}
Tensor logical_not(const Tensor& a) {
  check_mask("logical_not", a);
  return equal(a, 0.0);
}

Tensor isnan(const Tensor& a) {
  return tested("isnan", a, [](double x) -> std::uint8_t { return std::isnan(x); });
}
Tensor isinf(const Tensor& a) {
  return tested("isinf", a, [](double x) -> std::uint8_t { return std::isinf(x); });
}
Tensor isfinite(const Tensor& a) {
  return tested("isfinite", a, [](double x) -> std::uint8_t { return std::isfinite(x); });
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  detail::check_same_dtype("allclose", a, b);
  if (a.shape() != b.shape()) fail("allclose: got shapes ", a.shape(), " and ", b.shape(), ", needs the same");
  return detail::visit_dtype(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* pa = data_of<T>(a);
    return std::equal(pa, pa + a.size(), data_of<T>(b), [&](T x, T y) {
      if (x == y) return true;
      const auto dx = static_cast<double>(x), dy = static_cast<double>(y);
      if (!std::isfinite(dx) || !std::isfinite(dy)) return false;
      // Integers that differ do so by 1 at least, even where doubles no longer show it.
      const double apart = std::max(std::abs(dx - dy), std::is_integral_v<T> ? 1.0 : 0.0);
      return apart <= atol + rtol * std::abs(dy);
    });
  });
}

Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) { return apply<Where>(mask, a, b); }
Tensor where(const Tensor& mask, const Tensor& a, double b) {
  detail::check_number("where", a, b);
  return where(mask, a, scalar(b, a.dtype()));
}
Tensor where(const Tensor& mask, double a, const Tensor& b) {
  detail::check_number("where", b, a);
  return where(mask, scalar(a, b.dtype()), b);
}

}  // namespace weft

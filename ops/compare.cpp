#include <weft/ops/compare.hpp>

#include <algorithm>
#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/number.hpp>
#include <weft/engine/tape.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/kernels/elementwise/map.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// out = f(a, b), u8, broadcast.
template <class F>
Tensor compared(const char* op, const Tensor& a, const Tensor& b, F f) {
  detail::check_same_dtype(op, a, b);
  const Shape shape = detail::broadcast_shapes(op, a.shape(), b.shape());
  Tensor out = make_tensor(op, shape, u8);
  detail::visit_dtype(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::map_mixed(f, shape, mutable_data_of<std::uint8_t>(out), {a.shape(), b.shape()}, data_of<T>(a),
                      data_of<T>(b));
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
  detail::visit_dtype(a.dtype(), [&](auto zero) {
    detail::map_mixed(f, a.shape(), mutable_data_of<std::uint8_t>(out), {a.shape()}, data_of<decltype(zero)>(a));
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
    detail::visit_dtype(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::map_mixed([](std::uint8_t chosen, T x, T y) { return chosen != 0 ? x : y; }, shape,
                        mutable_data_of<T>(out), {mask.shape(), a.shape(), b.shape()}, data_of<std::uint8_t>(mask),
                        data_of<T>(a), data_of<T>(b));
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
  return tested("isnan", a, [](auto x) -> std::uint8_t { return x != x; });
}
Tensor isinf(const Tensor& a) {
  return tested("isinf", a, [](auto x) -> std::uint8_t { return x == x && x - x != 0; });
}
Tensor isfinite(const Tensor& a) {
  return tested("isfinite", a, [](auto x) -> std::uint8_t { return x - x == 0; });
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

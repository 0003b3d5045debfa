// Changes in place that are members of Tensor: fill_(), copy_(), add_() and mul_().
#include <algorithm>
#include <type_traits>

#include <weft/engine/detail/number.hpp>
#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/ops/kernels/elementwise/map.hpp>

namespace weft {
namespace {

void check_operand(const char* op, const Tensor& t, const Tensor& other) {
  detail::check_same_dtype(op, t, other);
  if (other.shape() != t.shape() && other.size() != 1)
    fail(op, ": got shape ", other.shape(), " for a tensor of shape ", t.shape(), ", needs the same or one element");
  if (grad_enabled() && other.requires_grad())
    fail(op, ": in place with an operand that requires a gradient, which would be lost; use NoGrad or detach()");
}

// What formulas compute on.
template <class T>
using Value = std::conditional_t<std::is_floating_point_v<T>, detail::Register<T>, detail::Number<T>>;

// t = f(t, number).
template <class F>
void update(Tensor& t, double number, F f) {
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = detail::mutable_data_of<T>(t);
    detail::map_flat([f, k = Value<T>(number)](auto a) { return f(a, k); }, t.size(), out, out);
  });
}

// t = f(t, other, number).
template <class F>
void update(Tensor& t, const Tensor& other, double number, F f) {
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = detail::mutable_data_of<T>(t);
    const T* in = detail::data_of<T>(other);
    const Value<T> k(number);
    if (other.size() == t.size())
      detail::map_flat([f, k](auto a, auto b) { return f(a, b, k); }, t.size(), out, out, in);
    else
      detail::map_flat([f, k, b = Value<T>(in[0])](auto a) { return f(a, b, k); }, t.size(), out, out);
  });
}

}  // namespace

Tensor& Tensor::fill_(double value) {
  detail::visit_dtype(dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T element = detail::to_element<T>("fill_", value);
    writable("fill_");
    T* out = detail::mutable_data_of<T>(*this);
    detail::parallel_for(size(), detail::grain_for(1),
                         [=](std::int64_t begin, std::int64_t end) { std::fill(out + begin, out + end, element); });
  });
  return *this;
}

Tensor& Tensor::copy_(const Tensor& other) {
  check_operand("copy_", *this, other);
  writable("copy_");
  update(*this, other, 1.0, [](auto, auto b, auto) { return b; });
  return *this;
}

Tensor& Tensor::add_(const Tensor& other, double scale) {
  check_operand("add_", *this, other);
  detail::check_number("add_", *this, scale);
  writable("add_");
  if (scale == 1.0)
    update(*this, other, scale, [](auto a, auto b, auto) { return a + b; });
  else
    update(*this, other, scale, [](auto a, auto b, auto k) { return a + k * b; });
  return *this;
}

Tensor& Tensor::add_(double value) {
  detail::check_number("add_", *this, value);
  writable("add_");
  update(*this, value, [](auto a, auto k) { return a + k; });
  return *this;
}

Tensor& Tensor::mul_(const Tensor& other) {
  check_operand("mul_", *this, other);
  writable("mul_");
  update(*this, other, 1.0, [](auto a, auto b, auto) { return a * b; });
  return *this;
}

Tensor& Tensor::mul_(double factor) {
  detail::check_number("mul_", *this, factor);
  writable("mul_");
  update(*this, factor, [](auto a, auto k) { return a * k; });
  return *this;
}

}  // namespace weft

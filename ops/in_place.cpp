// Changes in place that are members of Tensor: fill_(), copy_(), add_() and mul_().
#include <algorithm>

#include <weft/engine/detail/number.hpp>
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/detail/elementwise.hpp>

namespace weft {
namespace {

void check_operand(const char* op, const Tensor& t, const Tensor& other) {
  detail::check_same_dtype(op, t, other);
  if (other.shape() != t.shape() && other.size() != 1)
    fail(op, ": got shape ", other.shape(), " for a tensor of shape ", t.shape(), ", needs the same or one element");
  if (grad_enabled() && other.requires_grad())
    fail(op, ": in place with an operand that requires a gradient, which would be lost; use NoGrad or detach()");
}

// t = f(t, operands...), on integers too.
template <class F>
struct Update {
  static constexpr bool on_integers = true;
  F f;
  auto operator()(auto... v) const { return f(v...); }
};
template <class F, class... Operands>
void update(Tensor& t, F f, const Operands&... operands) {
  detail::run_formula(Update<F>{f}, t, operands...);
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
  update(
      *this, [](auto b) { return b; }, other);
  return *this;
}

Tensor& Tensor::add_(const Tensor& other, double scale) {
  check_operand("add_", *this, other);
  detail::check_number("add_", *this, scale);
  writable("add_");
  if (scale == 1.0)
    update(
        *this, [](auto a, auto b) { return a + b; }, *this, other);
  else
    update(
        *this, [scale](auto a, auto b) { return a + scale * b; }, *this, other);
  return *this;
}

Tensor& Tensor::add_(double value) {
  detail::check_number("add_", *this, value);
  writable("add_");
  update(
      *this, [value](auto a) { return a + value; }, *this);
  return *this;
}

Tensor& Tensor::mul_(const Tensor& other) {
  check_operand("mul_", *this, other);
  writable("mul_");
  update(
      *this, [](auto a, auto b) { return a * b; }, *this, other);
  return *this;
}

Tensor& Tensor::mul_(double factor) {
  detail::check_number("mul_", *this, factor);
  writable("mul_");
  update(
      *this, [factor](auto a) { return a * factor; }, *this);
  return *this;
}

}  // namespace weft

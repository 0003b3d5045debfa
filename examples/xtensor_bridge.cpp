// An op written as xtensor expressions on tensors' own memory, with its gradient, beside the same as a formula of weft.
#include <weft/engine/xtensor.hpp>
#include <weft/weft.hpp>

#include <cstdio>
#include <xtensor/xmath.hpp>

using namespace weft;

// y = x^2 / (1 + x^2), f64.
struct Saturate : Op<Saturate> {
  static constexpr const char* name = "saturate";
  static Tensor forward(Context& ctx, const Tensor& x) {
    ctx.save(x);
    const auto v = as_xtensor<double>(x);  // a view: x must live as long as what is made of it
    return from_xtensor(v * v / (1.0 + v * v));
  }
  // In weft's own ops: then it is differentiable itself.
  static Tensor backward(Context& ctx, const Tensor& g) {
    const Tensor x = ctx.saved(0);
    return g * 2.0 * x / square(1.0 + square(x));
  }
};

int main() {
  const Tensor x = randn({4, 5}, f64);
  const auto formula = fused([](auto a) { return a * a / (1.0 + a * a); });
  const bool same = allclose(apply<Saturate>(x), formula(x));
  const auto check = gradcheck([](const Tensor& a) { return apply<Saturate>(a); }, x, {.order = 2});
  std::printf("as the formula: %s; gradients of both orders: %s\n", same ? "yes" : "no",
              check ? "right" : check.message.c_str());

  Tensor counts = from_xtensor(xt::arange<int>(6));  // integers become i64
  as_mutable_xtensor<std::int64_t>(counts)(5) = 100;
  const bool written = counts.at({5}) == 100 && counts.dtype() == i64;
  return same && check && written ? 0 : 1;
}

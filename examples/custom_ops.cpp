// Ops of one's own: with fields, with several outputs, with an input that may be absent, with a gradient made up on
// purpose; each checked against differences.
#include <weft/weft.hpp>

#include <cmath>
#include <cstdio>

using namespace weft;

// x + sin^2(a x) / a, and an input that may be left out: a weight for each element.
struct Snake : Op<Snake> {
  double a;
  explicit Snake(double frequency) : a(frequency) {}
  static constexpr const char* name = "snake";
  Fields describe() const { return {{"a", a}}; }
  Tensor forward(Context& ctx, const Tensor& x, const Tensor& weight) const {
    ctx.save(x), ctx.save(weight);
    const Tensor y = x + square(sin(a * x)) / a;
    return weight.defined() ? weight * y : y;
  }
  Tensors backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), weight = ctx.saved(1);
    const Tensor slope = 1.0 + sin(2 * a * x);
    if (!weight.defined()) return {g * slope, Tensor()};
    return {g * weight * slope, ctx.needs(1) ? g * (x + square(sin(a * x)) / a) : Tensor()};
  }
};

// Two outputs: polar coordinates of points.
struct Polar : Op<Polar> {
  static constexpr const char* name = "polar";
  static Tensors forward(Context& ctx, const Tensor& x, const Tensor& y) {
    ctx.save(x), ctx.save(y);
    const Tensor r = sqrt(square(x) + square(y));
    Tensor angle = empty_like(x);
    for (std::size_t i = 0; i < angle.data<double>().size(); ++i)
      angle.mutable_data<double>()[i] = std::atan2(y.data<double>()[i], x.data<double>()[i]);
    return {r, angle};
  }
  static Tensors backward(Context& ctx, const Tensors& g) {  // an output nobody used has zeros
    const Tensor x = ctx.saved(0), y = ctx.saved(1), squared = square(x) + square(y), r = sqrt(squared);
    return {g[0] * x / r - g[1] * y / squared, g[0] * y / r + g[1] * x / squared};
  }
};

// Rounds, and lets the gradient through as if it had not (Bengio, Leonard and Courville, arXiv 1308.3432).
struct StraightThrough : Op<StraightThrough> {
  static constexpr const char* name = "straight_through";
  static Tensor forward(Context&, const Tensor& x) { return (x + 0.5).to(i64).to(x.dtype()); }
  static Tensor backward(Context&, const Tensor& g) { return g; }
};

bool report(const char* what, const GradcheckResult& result) {
  std::printf("%-28s %s\n", what, result.ok ? "right in both orders" : result.message.c_str());
  return result.ok;
}

int main() {
  Tensor x = rand({2, 3}, f64) + 0.5, y = rand({3}, f64) + 0.5;
  const GradcheckOptions both{.order = 2};
  bool ok = report("snake", gradcheck([](const Tensor& a) { return apply(Snake(2.0), a, Tensor()); }, x, both));
  ok &= report("snake with broadcast weight",
               gradcheck([](const Tensors& in) { return apply(Snake(2.0), in[0], in[1]); }, {x, y}, both));
  ok &= report("polar", gradcheck([](const Tensors& in) { return apply<Polar>(in[0], in[1]); }, {x, x + 1.0}, both));
  const bool noticed = !gradcheck([](const Tensor& a) { return apply<StraightThrough>(a); }, x);
  std::printf("%-28s %s\n", "straight through", noticed ? "is not the derivative, as meant" : "?");
  return ok && noticed ? 0 : 1;
}

// Functional calls on several threads: those of one module take turns, those of copies need not.
#include <doctest/doctest.h>
#include <tests/support/in_threads.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/clone.hpp>
#include <weft/nn/functional_call.hpp>
#include <weft/ops/arithmetic.hpp>

using namespace weft;

namespace {

struct Inner : nn::Module {
  nn::Param w{this, "w", full({8}, 2.0, f64)};
  nn::Buffer last{this, "last", zeros({8}, f64)};
  Tensor forward(const Tensor& x) override {
    const Tensor y = w * x;
    const NoGrad off;
    last.copy_(y);
    return y;
  }
};

// w v x, where w is the inner module's own or what it was given, after a call in a call.
struct Outer : nn::Module {
  nn::Child<Inner> inner{this, "inner"};
  nn::Param v{this, "v", full({8}, 3.0, f64)};
  Tensor forward(const Tensor& x) override {
    nn::functional_call(*inner, {{"w", v}}, x);
    return inner(x) * v;
  }
};

bool all_are(const Tensor& t, double value) {
  for (const double v : t.data<double>())
    if (v != value) return false;
  return true;
}

// Calls with values of one's own, and their gradients.
bool own_values_count(Outer& net, int thread) {
  const Tensor x = full({8}, 5.0, f64), one = ones({8}, f64);
  for (int i = 0; i < 50; ++i) {
    const double a = thread + 1, b = i + 1;
    const Tensor w = parameter(full({8}, a, f64)), v = parameter(full({8}, b, f64));
    const Tensor y = nn::functional_call(net, {{"inner.w", w}, {"v", v}}, x);
    if (!all_are(y, a * b * 5)) return false;
    const Tensors g = grad({y}, {w, v}, {.grad_outputs = {one}});
    if (!all_are(g[0], b * 5) || !all_are(g[1], a * 5)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("threads that call one module with tensors of their own take turns") {
  Outer net;
  const Tensor w = net.inner->w, v = net.v;
  test::in_threads(4, [&](int thread) {
    // Every other thread calls a part of what the others call.
    if (thread % 2 == 0) return own_values_count(net, thread);
    for (int i = 0; i < 50; ++i) {
      const Tensor own = full({8}, 10.0 * i, f64);
      if (!all_are(nn::functional_call(*net.inner, {{"w", own}}, ones({8}, f64)), 10.0 * i)) return false;
    }
    return true;
  });
  CHECK(net.inner->w.impl() == w.impl());
  CHECK(net.v.impl() == v.impl());
}

TEST_CASE("threads copy one module, and use their copies at once") {
  const Outer net;
  test::in_threads(4, [&](int thread) {
    const auto copy = nn::clone(net);
    if (copy->v.impl() == net.v.impl() || copy->parameters()[1].impl() != copy->v.impl()) return false;
    return own_values_count(*copy, thread) && all_are((*copy)(ones({8}, f64)), 6);
  });
}

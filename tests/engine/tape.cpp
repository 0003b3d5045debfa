// The tape: accumulation, hooks, retained gradients, versions, anomalies, higher order, several outputs.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>

using namespace weft;

namespace {

// Two outputs, of which either may go unused.
struct SumAndProduct : Op<SumAndProduct> {
  static constexpr const char* name = "sum_and_product";
  static Tensors forward(Context& context, const Tensor& a, const Tensor& b) {
    context.save(a);
    context.save(b);
    return {a + b, a * b};
  }
  static Tensors backward(Context& context, const Tensors& g) {
    return {g[0] + g[1] * context.saved(1), g[0] + g[1] * context.saved(0)};
  }
};

struct OneGradientTooFew : Op<OneGradientTooFew> {
  static constexpr const char* name = "one_too_few";
  static Tensor forward(Context&, const Tensor& a, const Tensor& b) { return a + b; }
  static Tensors backward(Context&, const Tensor& g) { return {g}; }
};

struct WrongDType : Op<WrongDType> {
  static constexpr const char* name = "wrong_dtype";
  static Tensor forward(Context&, const Tensor& a) { return a + 1.0; }
  static Tensors backward(Context&, const Tensor& g) { return {ones(g.shape(), g.dtype() == f32 ? f64 : f32)}; }
};

struct WrongShape : Op<WrongShape> {
  static constexpr const char* name = "wrong_shape";
  static Tensor forward(Context&, const Tensor& a) { return a + 1.0; }
  static Tensors backward(Context&, const Tensor& g) { return {ones({7}, g.dtype())}; }
};

struct NoBackward : Op<NoBackward> {
  static constexpr const char* name = "no_backward";
  static Tensor forward(Context&, const Tensor& a) { return a * 2.0; }
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an identity shortcut whose gradient buffer is shared") {
  Tensor a = parameter(tensor({1, 2}, {2}, f64));
  Tensor b = a + 1.0, c = b + 1.5, d = a + b, e = d + c;
  b.retain_grad();
  d.retain_grad();
  const Tensor seed = tensor({1, 10}, {2}, f64);
  e.backward(seed);
  CHECK(a.grad().at({0}) == 3);
  CHECK(a.grad().at({1}) == 30);
  CHECK(b.grad().at({0}) == 2);
  CHECK(d.grad().at({1}) == 10);
  CHECK(seed.at({0}) == 1);
  CHECK(seed.at({1}) == 10);
}

TEST_CASE("a += b makes a the sum, and leaves what it was to others") {
  Tensor x = parameter(tensor({1, 2}, {2})), w = parameter(tensor({3, 5}, {2}));
  Tensor a = x * w;
  const Tensor product = a;
  a += x;
  a -= 1;
  a *= w;
  a /= 2;
  CHECK(allclose(a, tensor({4.5, 27.5}, {2})));  // (x w + x - 1) w / 2
  CHECK(allclose(product, tensor({3, 10}, {2})));
  const Tensors g = grad(sum(a), {x, w});
  CHECK(allclose(g[0], tensor({6, 15}, {2})));    // (w + 1) w / 2
  CHECK(allclose(g[1], tensor({3, 10.5}, {2})));  // (2 x w + x - 1) / 2
  a += a;
  CHECK(allclose(a, tensor({9, 55}, {2})));
  Tensor total = scalar(0, f32);
  for (int i = 0; i < 3; ++i) total += sum(x);
  CHECK(total.item() == 9);
  total /= Tensor(total);
  total -= total;
  total *= total;
  CHECK(total.item() == 0);

  const Tensor same = x;
  CHECK_THROWS_WITH_AS(x += 1, doctest::Contains("operator+=: got a leaf of shape {2}"), Error);
  const NoGrad off;
  CHECK_THROWS_WITH_AS(x -= w, doctest::Contains("sub_"), Error);
  CHECK(x.impl() == same.impl());
}

TEST_CASE("a fan-out of 10,000") {
  Tensor x = parameter(scalar(1.5, f64));
  Tensor hub = x * 1.0;
  Tensor total = scalar(0, f64);
  for (int i = 0; i < 10000; ++i) total = total + hub * static_cast<double>(i);
  CHECK(grad(total, {x}, {.retain_graph = true})[0].item() == 49995000.0);
  total.backward();
  CHECK(x.grad().item() == 49995000.0);
}

TEST_CASE("gradients are a leaf's own memory") {
  Tensor a = parameter(ones({2}, f64)), b = parameter(ones({2}, f64));
  const Tensor seed = ones({2}, f64);
  (a + b).backward(seed);
  {
    const NoGrad off;
    a.grad().fill_(7);
  }
  CHECK(b.grad().at({0}) == 1);
  CHECK(seed.at({0}) == 1);
}

TEST_CASE("an op with several outputs") {
  Tensor a = parameter(scalar(3, f64)), b = parameter(scalar(5, f64));
  const Tensors both = apply<SumAndProduct>(a, b);
  CHECK(both.size() == 2);
  const Tensors product = grad(both[1], {a, b}, {.retain_graph = true});
  CHECK(product[0].item() == 5);
  CHECK(product[1].item() == 3);
  CHECK(grad(both[0] * both[1], {a})[0].item() == 15 + 8 * 5);
  CHECK(grad(grad(apply<SumAndProduct>(a, b)[1], {a}, {.create_graph = true})[0], {b})[0].item() == 1);
}

TEST_CASE("wrong gradients are named") {
  Tensor a = parameter(scalar(1)), b = parameter(scalar(1));
  CHECK(has(message_of([&] { apply<OneGradientTooFew>(a, b).backward(); }), "one_too_few"));
  CHECK(has(message_of([&] { apply<WrongDType>(a).backward(); }), "wrong_dtype"));
  const Tensor pair = parameter(ones({2}));
  CHECK(has(message_of([&] { sum(apply<WrongShape>(pair)).backward(); }), "wrong_shape: the gradient of input 0"));
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("hooks see and replace gradients, in order, until removed") {
  Tensor x = parameter(scalar(2, f64));
  Tensor y = x * 3.0;
  std::vector<double> seen;
  y.register_hook([&](const Tensor& g) {
    seen.push_back(g.item());
    return g * 10.0;
  });
  HookHandle second = y.register_hook([&](const Tensor& g) {
    seen.push_back(g.item());
    return Tensor();
  });
  x.register_hook([](const Tensor& g) { return g + 1.0; });
  y.backward({}, {.retain_graph = true});
  CHECK(seen == std::vector<double>{1, 10});
  CHECK(x.grad().item() == 31);
  second.remove();
  y.backward({}, {.retain_graph = true});
  CHECK(seen == std::vector<double>{1, 10, 1});
  CHECK(x.grad().item() == 62);
  CHECK(grad(y, {x})[0].item() == 31);
  y = x * 3.0;
  y.register_hook([](const Tensor&) { return ones({2}, f64); });
  CHECK(has(message_of([&] { y.backward(); }), "hook"));
  CHECK(x.grad().item() == 62);
  CHECK_THROWS_AS(ones({1}).register_hook([](const Tensor& g) { return g; }), Error);
}

TEST_CASE("hooks remove themselves, add others, and drop the result") {
  Tensor x = parameter(scalar(1, f64));
  int once = 0, late = 0, never = 0;
  HookHandle self, other;
  const std::string text = "long enough to be kept on the heap, so that its end would show";
  self = x.register_hook([&, text](const Tensor&) {
    self.remove();
    other.remove();
    once += static_cast<int>(text.size()) > 40;
    for (int i = 0; i < 10; ++i)
      x.register_hook([&](const Tensor&) {
        ++late;
        return Tensor();
      });
    return Tensor();
  });
  other = x.register_hook([&](const Tensor&) {
    ++never;
    return Tensor();
  });
  (x * 2.0).backward();
  CHECK(late == 0);
  (x * 2.0).backward();
  CHECK(once == 1);
  CHECK(late == 10);
  CHECK(never == 0);
  CHECK(x.grad().item() == 4);
  Tensor y = square(square(x));
  y.register_hook([&](const Tensor&) {
    y = Tensor();
    return Tensor();
  });
  y.backward();
  CHECK(x.grad().item() == 8);
  CHECK_THROWS_AS(x.register_hook(Hook()), Error);
}

TEST_CASE("a hook that returns nothing only looks") {
  const Tensor x = parameter(tensor({3}, {1}));
  double seen = 0;
  Tensor(x).register_hook([&](const Tensor& g) { seen = g.item(); });
  const Tensor y = x * x;
  y.backward({.retain_graph = true});
  y.backward();
  CHECK(seen == 6);
  CHECK(x.grad().item() == 12);
}

TEST_CASE("a removed hook is freed") {
  Tensor x = parameter(scalar(1, f64));
  const auto held = std::make_shared<int>(1);
  HookHandle handle = x.register_hook([held](const Tensor&) { return Tensor(); });
  CHECK(held.use_count() == 2);
  handle.remove();
  CHECK(held.use_count() == 1);
}

TEST_CASE("grad calls a leaf's hook once, in the mode that was asked for") {
  Tensor x = parameter(scalar(2, f64)), w = parameter(scalar(3, f64));
  int calls = 0;
  x.register_hook([&](const Tensor& g) {
    ++calls;
    return g * w;
  });
  const Tensors twice = grad(x * 2.0, {x, x});
  CHECK(calls == 1);
  CHECK(twice[1].item() == 6);
  CHECK_FALSE(twice[0].requires_grad());
  const Tensor y = x * x;
  const NoGrad off;
  CHECK(grad(y, {x}, {.create_graph = true})[0].requires_grad());
}

TEST_CASE("retained gradients add up, and stay as they were on failure") {
  Tensor x = parameter(scalar(1, f64));
  Tensor c = x * 2.0;
  c.retain_grad();
  c.retain_grad();
  Tensor y = c * 3.0;
  y.backward({}, {.retain_graph = true});
  CHECK(c.grad().item() == 3);
  y.backward({}, {.retain_graph = true});
  CHECK(c.grad().item() == 6);
  x.register_hook([](const Tensor&) -> Tensor { throw Error("no"); });
  CHECK_THROWS_AS(y.backward(), Error);
  CHECK(c.grad().item() == 6);
}

TEST_CASE("a change in place after saving is caught by name") {
  Tensor x = parameter(tensor({1, 2}, {2}, f64));
  Tensor y = exp(x);
  Tensor z = y * y;
  {
    const NoGrad off;
    y.add_(1.0);
  }
  CHECK(has(message_of([&] { sum(z).backward(); }), "changed in place"));
  Tensor w = parameter(ones({2}, f64));
  w.set_name("weight");
  Tensor v = w * x;
  {
    const NoGrad off;
    w.mul_(2.0);
  }
  const std::string message = message_of([&] { sum(v).backward(); });
  CHECK(has(message, "mul"));
  CHECK(has(message, "weight"));
  CHECK_THROWS_AS(w.add_(1.0), Error);
  CHECK_FALSE(w.grad().defined());
  // Storage exchanged for another, never written to.
  const Tensor fresh = ones({2}, f64), u = parameter(ones({2}, f64));
  v = u * x;
  u.impl()->storage = fresh.impl()->storage;
  CHECK(has(message_of([&] { sum(v).backward(); }), "changed in place"));
  // A request that fails changes nothing.
  v = w * x;
  const NoGrad off;
  CHECK_THROWS_AS(w.mutable_data<float>(), Error);
  CHECK_NOTHROW(sum(v.detach()));
  CHECK(grad(v, {x}, {.grad_outputs = {ones({2}, f64)}})[0].at({0}) == 2);
}

TEST_CASE("a leaf that changed its dtype is named") {
  Tensor x = parameter(ones({2}, f64));
  const Tensor y = x + 1.0;
  const Tensor other = ones({2}, f32);
  x.impl()->storage = other.impl()->storage;
  x.impl()->dtype = f32;
  CHECK(has(message_of([&] { y.backward(ones({2}, f64)); }), "backward of"));
}

TEST_CASE("Anomaly names the op and where it was recorded") {
  const Anomaly on;
  Tensor x = parameter(tensor({0, 1}, {2}, f64));
  const std::string message = message_of([&] { sum(sqrt(x) * 2.0).backward(); });
  CHECK(has(message, "anomaly"));
  CHECK(has(message, "sqrt"));
  CHECK(has(message, "recorded at"));
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("nothing is recorded without need") {
  Tensor x = parameter(ones({2}));
  {
    const NoGrad off;
    CHECK_FALSE((x * 2.0).requires_grad());
    const EnableGrad on;
    CHECK((x * 2.0).requires_grad());
  }
  CHECK((x * 2.0).requires_grad());
  CHECK_FALSE((x.detach() * 2.0).requires_grad());
  CHECK_FALSE((ones({2}) * 2.0).requires_grad());
  CHECK_FALSE(apply<NoBackward>(x).requires_grad());
}

TEST_CASE("set_requires_grad: of floating leaves only, from then on") {
  Tensor x = ones({2}), whole = ones({2}, i64);
  x.set_requires_grad(true);
  Tensor y = x * 2.0;
  CHECK(y.requires_grad());
  CHECK_THROWS_WITH_AS(y.set_requires_grad(false), doctest::Contains("needs a leaf"), Error);
  CHECK(y.requires_grad());
  x.set_requires_grad(false);
  CHECK_FALSE((x * 2.0).requires_grad());
  CHECK_THROWS_WITH_AS(whole.set_requires_grad(true), doctest::Contains("set_requires_grad: got i64"), Error);
  CHECK_FALSE(whole.requires_grad());
  whole.set_requires_grad(false);
}

TEST_CASE("graphs are freed, unless retained") {
  Tensor x = parameter(scalar(3, f64));
  Tensor y = x * x;
  y.backward({}, {.retain_graph = true});
  y.backward();
  CHECK(x.grad().item() == 12);
  CHECK(has(message_of([&] { y.backward(); }), "retain_graph"));
  CHECK(x.grad().item() == 12);
}

TEST_CASE("gradients of gradients, with respect to leaves and to what was computed") {
  Tensor x = parameter(scalar(0.7, f64));
  Tensor s = sin(x);
  Tensor y = s * s * x;
  const Tensor ds = grad(y, {s}, {.create_graph = true})[0];
  CHECK(ds.item() == doctest::Approx(2 * std::sin(0.7) * 0.7));
  CHECK(grad(ds, {x})[0].item() == doctest::Approx(2 * std::cos(0.7) * 0.7 + 2 * std::sin(0.7)));
  Tensor z = x * x * x;
  z.backward({}, {.create_graph = true});
  CHECK(grad(x.grad(), {x})[0].item() == doctest::Approx(6 * 0.7));
  x.zero_grad();  // a recorded gradient holds its leaf: the circle is ours to open
}

TEST_CASE("grad: several outputs, unused inputs, and mistakes") {
  Tensor a = parameter(scalar(2, f64)), b = parameter(scalar(3, f64)), unused = parameter(scalar(1, f64));
  const Tensors g = grad({a * b, a * a}, {a, b}, {.grad_outputs = {scalar(1, f64), scalar(10, f64)}});
  CHECK(g[0].item() == 43);
  CHECK(g[1].item() == 2);
  CHECK_FALSE(a.grad().defined());
  CHECK_THROWS_AS(grad(a * b, {unused}), Error);
  CHECK_FALSE(grad(a * b, {unused}, {.allow_unused = true})[0].defined());
  const Tensor y = square(a);
  CHECK_THROWS_AS(grad(y, {a, unused}), Error);
  CHECK(grad(y, {a})[0].item() == 4);  // the mistake cost nothing
  Tensor x = parameter(tensor({1, 2}, {2}, f64));
  const Tensors parts = split(x, 1);
  const Tensor z = parts[0] * 3.0;
  CHECK_THROWS_AS(grad(z, {x, parts[1]}), Error);
  const Tensors some = grad(z, {x, parts[1]}, {.allow_unused = true});
  CHECK(some[0].at({0}) == 3);
  CHECK_FALSE(some[1].defined());
  CHECK_THROWS_AS(grad(a.detach(), {a}), Error);
  CHECK_THROWS_AS(grad(broadcast_to(a, {3}), {a}), Error);
  CHECK_THROWS_AS(grad(a * b, {a}, {.grad_outputs = {ones({2}, f64)}}), Error);
  CHECK_THROWS_AS((a * b).backward(scalar(1, f32)), Error);
}

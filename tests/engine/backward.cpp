// backward() and grad(): inputs and outputs of every kind, set_grad, accumulation, and what gradients pass through.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>
#include <functional>

using namespace weft;

namespace {

std::vector<double> values(const Tensor& t) {
  std::vector<double> out;
  detail::visit_floating(t.dtype(), [&](auto zero) {
    for (auto v : t.data<decltype(zero)>()) out.push_back(static_cast<double>(v));
  });
  return out;
}
using Values = std::vector<double>;

Tensor pair(double a, double b) { return tensor({a, b}, {2}, f64); }

}  // namespace

TEST_CASE("grad of an input that is an output, of computed inputs, of repeated ones") {
  Tensor x = parameter(pair(2, 3));
  const Tensor h = x * 5.0, y = h * h;
  const GradOptions weighted{.grad_outputs = {pair(1, 10)}, .retain_graph = true};
  const Tensors g = grad(y, {y, h, x, h, x}, weighted);
  CHECK(values(g[0]) == Values{1, 10});
  CHECK(values(g[1]) == Values{20, 300});
  CHECK(values(g[2]) == Values{100, 1500});
  CHECK(values(g[3]) == Values{20, 300});
  CHECK(values(g[4]) == Values{100, 1500});
  // An output that another output depends on: its own weight and what comes from above.
  const Tensors both = grad({y, h}, {h, x}, {.grad_outputs = {pair(1, 10), pair(7, 8)}, .retain_graph = true});
  CHECK(values(both[0]) == Values{27, 308});
  CHECK(values(both[1]) == Values{135, 1540});
  // A leaf as its own output.
  CHECK(values(grad(x, {x}, weighted)[0]) == Values{1, 10});
  CHECK(values(grad({x, y}, {x}, {.grad_outputs = {pair(1, 2), pair(1, 10)}, .retain_graph = true})[0]) ==
        Values{101, 1502});
  CHECK_FALSE(x.grad().defined());
  CHECK(values(grad(y, {h}, weighted)[0]) == Values{20, 300});  // the graph is still whole
}

TEST_CASE("an output given twice counts twice") {
  Tensor x = parameter(pair(2, 3));
  const Tensor y = x * x;
  CHECK(values(grad({y, y}, {x}, {.grad_outputs = {pair(1, 1), pair(2, 3)}, .retain_graph = true})[0]) ==
        Values{12, 24});
  CHECK(values(grad({x, x}, {x}, {.grad_outputs = {pair(1, 1), pair(2, 3)}})[0]) == Values{3, 4});
  const Tensor s = sum(y);
  CHECK(values(grad({s, s, s}, {x})[0]) == Values{12, 18});
}

TEST_CASE("outputs of one op among inputs and outputs") {
  Tensor x = parameter(tensor({1, 2, 3, 4}, {4}, f64));
  const Tensors parts = split(x, 1);
  const Tensor y = parts[0] * parts[2] * 10.0;
  const Tensors g = grad({y, parts[3]}, {parts[2], parts[0], parts[3], x}, {.retain_graph = true});
  CHECK(g[0].item() == 10);
  CHECK(g[1].item() == 30);
  CHECK(g[2].item() == 1);
  CHECK(values(g[3]) == Values{30, 0, 10, 1});
  const Tensors some = grad(y, {parts[1], parts[0]}, {.retain_graph = true, .allow_unused = true});
  CHECK_FALSE(some[0].defined());
  CHECK(some[1].item() == 30);
  CHECK_THROWS_WITH_AS(grad(y, {parts[0], parts[1]}), doctest::Contains("input 1"), Error);
  CHECK(values(grad(y, {x})[0]) == Values{30, 0, 10, 0});
}

TEST_CASE("unused inputs are undefined if that is allowed, also twice, and those beside them are not") {
  Tensor x = parameter(pair(1, 2)), unused = parameter(pair(3, 4));
  const Tensor later = x * 2.0, y = sum(x * x);
  const Tensors g = grad(y, {unused, x, later, unused, x}, {.retain_graph = true, .allow_unused = true});
  for (const std::size_t i : {0U, 2U, 3U}) CHECK_FALSE(g[i].defined());
  CHECK(values(g[1]) == Values{2, 4});
  CHECK(values(g[4]) == Values{2, 4});
  CHECK_THROWS_WITH_AS(grad(y, {x, later}), doctest::Contains("allow_unused"), Error);
  CHECK_THROWS_WITH_AS(grad(y, {x.detach()}), doctest::Contains("does not require a gradient"), Error);
  CHECK_THROWS_WITH_AS(grad({y, y}, {x}, {.grad_outputs = {scalar(1, f64)}}), doctest::Contains("got 1 grad_outputs"),
                       Error);
  CHECK_THROWS_WITH_AS(grad(y, {x}, {.grad_outputs = {scalar(1)}}), doctest::Contains("seed of f32"), Error);
  CHECK(values(grad(y, {x})[0]) == Values{2, 4});
}

TEST_CASE("set_grad: what does not fit is refused, what fits is added to") {
  Tensor x = parameter(pair(1, 2));
  const Tensor mine = pair(10, 20);
  x.set_grad(mine);
  for (const Tensor& wrong : {ones({2}), ones({1}, f64), ones({2, 1}, f64), scalar(1, f64), ones({2}, i64)}) {
    CHECK_THROWS_WITH_AS(x.set_grad(wrong), doctest::Contains("set_grad: got"), Error);
    CHECK(values(x.grad()) == Values{10, 20});
  }
  sum(x * 3.0).backward();
  CHECK(values(x.grad()) == Values{13, 23});
  CHECK(values(mine) == Values{10, 20});  // is the caller's
  const Tensor before = x.grad();
  sum(x * 3.0).backward();
  CHECK(values(x.grad()) == Values{16, 26});
  CHECK(values(before) == Values{13, 23});
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  sum(x * 3.0).backward();
  CHECK(values(x.grad()) == Values{3, 3});
  Tensor constant = pair(1, 2);
  constant.set_grad(Tensor());
  CHECK_FALSE(constant.grad().defined());
  CHECK_THROWS_AS(Tensor().set_grad(mine), Error);
}

TEST_CASE("no two gradients, and no gradient and seed, share memory") {
  const auto check = [](const std::function<Tensor(const Tensor&, const Tensor&)>& f, double ga, double gb) {
    for (const int rounds : {1, 2}) {
      Tensor a = parameter(pair(1, 2)), b = parameter(pair(3, 4)), seed = pair(1, 10);
      Tensor y = f(a, b);
      y.retain_grad();
      for (int round = 0; round < rounds; ++round) y.backward(seed, {.retain_graph = true});
      CHECK(values(a.grad()) == Values{rounds * ga, rounds * 10 * ga});
      a.grad().fill_(-5);
      CHECK(values(b.grad()) == Values{rounds * gb, rounds * 10 * gb});
      CHECK(values(y.grad()) == Values{rounds * 1.0, rounds * 10.0});
      y.grad().fill_(-6);
      CHECK(values(a.grad()) == Values{-5, -5});
      CHECK(values(b.grad()) == Values{rounds * gb, rounds * 10 * gb});
      CHECK(values(seed) == Values{1, 10});
    }
  };
  check([](const Tensor& a, const Tensor& b) { return a + b; }, 1, 1);
  check([](const Tensor& a, const Tensor& b) { return a + (b + 1.0); }, 1, 1);
  check([](const Tensor& a, const Tensor& b) { return reshape(reshape(a, {2, 1}), {2}) + b.clone(); }, 1, 1);
  check([](const Tensor& a, const Tensor& b) { return (a + 1.0) + (a + b); }, 2, 1);
  check(
      [](const Tensor& a, const Tensor& b) {
        const Tensor shortcut = a + 1.0, c = shortcut + 1.5, d = a + shortcut;
        return d + c + b;
      },
      3, 1);
  check([](const Tensor& a, const Tensor& b) { return a + (a + (a + (b + (b + a)))); }, 4, 2);
}

TEST_CASE("a graph that is retained gives the same again, as often as it is asked") {
  Tensor x = parameter(pair(2, 3)), w = parameter(pair(5, 7));
  Tensor h = x * w;
  h.retain_grad();
  const Tensor y = sum(h * h * x);  // w^2 x^3
  const auto check = [&](double times) {
    CHECK(values(x.grad()) == Values{times * 3 * 25 * 4, times * 3 * 49 * 9});
    CHECK(values(w.grad()) == Values{times * 2 * 5 * 8, times * 2 * 7 * 27});
    CHECK(values(h.grad()) == Values{times * 2 * 10 * 2, times * 2 * 21 * 3});
  };
  y.backward({.retain_graph = true});
  check(1);
  y.backward({.create_graph = true});
  check(2);
  for (Tensor* t : {&x, &w, &h}) t->set_grad(t->grad().detach());
  CHECK(values(grad(y, {x}, {.create_graph = true})[0]) == Values{300, 1323});
  y.backward({.retain_graph = true});
  check(3);
  y.backward();
  check(4);
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("retain_graph"), Error);
  CHECK_THROWS_AS(grad(y, {x}), Error);
  check(4);
}

TEST_CASE("a gradient returns through to() in the dtype that went in, to second order") {
  const double third = 1.0 / 3;
  for (const DType from : {f32, f64}) {
    const DType to = from == f32 ? f64 : f32;
    INFO(std::string(name_of(from)), " to ", std::string(name_of(to)));
    Tensor x = parameter(tensor({2, third}, {2}, from));
    Tensor wide = x.to(to);
    CHECK(wide.dtype() == to);
    wide.retain_grad();
    const Tensor y = sum(wide * wide * wide);
    const Tensor first = grad(y, {x}, {.create_graph = true})[0];
    const Tensor second = grad(sum(first), {x}, {.retain_graph = true})[0];
    CHECK(first.dtype() == from);
    CHECK(second.dtype() == from);
    y.backward();
    CHECK(x.grad().dtype() == from);
    CHECK(wide.grad().dtype() == to);
    CHECK(x.grad().at({0}) == 12);
    CHECK(std::abs(x.grad().at({1}) - third) < 1e-7);
    CHECK(first.at({0}) == 12);
    CHECK(second.at({0}) == 12);
    CHECK(std::abs(second.at({1}) - 2) < 1e-6);
    // There and back, and as an operand beside one that was never converted.
    Tensor z = parameter(tensor({2, 5}, {2}, from));
    sum(z * z.to(to).to(from) * 3.0).backward();
    CHECK(values(z.grad()) == Values{12, 30});
  }
  const Tensor x = parameter(pair(1.5, 2.5));
  CHECK(x.to(f64).impl() == x.impl());
  CHECK_FALSE(x.to(i64).requires_grad());
  CHECK_FALSE(x.to(u8).to(f64).requires_grad());
}

TEST_CASE("clone passes gradients on and has its own memory, detach the opposite") {
  Tensor x = parameter(pair(2, 3));
  const Tensor copy = x.clone(), same = x.detach();
  const Tensor y = sum(copy * copy * copy * same);
  {
    const NoGrad off;
    x.fill_(-1);
  }
  CHECK(values(copy) == Values{2, 3});
  CHECK(values(same) == Values{-1, -1});
  CHECK_FALSE(same.requires_grad());
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("changed in place"), Error);  // through `same`
  CHECK_FALSE(x.grad().defined());
  x = parameter(pair(2, 3));
  const Tensor first = grad(sum(square(x.clone()) * x.detach()), {x}, {.create_graph = true})[0];
  CHECK(values(first) == Values{8, 18});
  CHECK(values(grad(sum(first), {x})[0]) == Values{4, 6});
  CHECK_THROWS_AS(sum(x.detach() * 2.0).backward(), Error);
}

TEST_CASE("gradients come back in shape through reshaped tensors, which share their storage") {
  Tensor x = parameter(tensor({1, 2, 3, 4, 5, 6}, {2, 3}, f64));
  const Tensor rows = reshape(x, {3, 2}), flat = reshape(rows, {6}), whole = reshape(flat, {1, 6, 1});
  CHECK(whole.impl()->storage.get() == x.impl()->storage.get());
  const Tensor weights = tensor({1, 10, 100, 1000, 10000, 100000}, {6}, f64);
  const Tensor y = sum(flat * flat * weights) + sum(rows * 3.0) + sum(whole);
  const Tensor first = grad(y, {x}, {.create_graph = true})[0];
  CHECK(first.shape() == Shape{2, 3});
  CHECK(values(first) == Values{2 + 4, 40 + 4, 600 + 4, 8000 + 4, 100000 + 4, 1200000 + 4});
  CHECK(values(grad(sum(first), {x}, {.retain_graph = true})[0]) == Values{2, 20, 200, 2000, 20000, 200000});
  y.backward();
  CHECK(x.grad().shape() == Shape{2, 3});
  CHECK(values(x.grad()) == values(first));
}

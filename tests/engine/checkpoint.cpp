// checkpoint: gradients as without it, captured tensors, same draws, higher order, nesting, memory.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/functional.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

using namespace weft;

namespace {

bool same(const Tensor& a, const Tensor& b) {
  const auto x = a.data<double>(), y = b.data<double>();
  return a.shape() == b.shape() && std::equal(x.begin(), x.end(), y.begin());
}

}  // namespace

TEST_CASE("a checkpoint has the value and the gradients of the function, captured parameters included") {
  manual_seed(1);
  Tensor x = parameter(randn({5}, f64)), w = parameter(randn({5}, f64)), b = parameter(randn({5}, f64));
  const Function f = [&](const Tensor& t) { return tanh(t * w + b) * w; };
  const Tensor seed = randn({5}, f64);
  const Tensors plain = grad(f(x), {x, w, b}, {.grad_outputs = {seed}});
  const Tensor y = checkpoint(f, x);
  CHECK(same(y, f(x)));
  CHECK(tape_stats(y).nodes == 1);
  const Tensors again = grad(y, {x, w, b}, {.grad_outputs = {seed}, .retain_graph = true});
  for (std::size_t i = 0; i < 3; ++i) CHECK(same(plain[i], again[i]));
  y.backward(seed);
  CHECK(same(x.grad(), plain[0]));
  CHECK(same(w.grad(), plain[1]));
  CHECK(same(b.grad(), plain[2]));
  // An input that needs no gradient: the captured ones still get theirs.
  const Tensor constant = checkpoint(f, x.detach());
  CHECK(same(grad(constant, {w}, {.grad_outputs = {seed}})[0], plain[1]));
}

TEST_CASE("captured tensors that depend on each other count once") {
  Tensor w = parameter(scalar(2, f64));
  Tensor v = w * 3.0;
  Tensor u = v * v;
  int hooked = 0, on_computed = 0;
  w.register_hook([&](const Tensor&) { ++hooked; });
  v.register_hook([&](const Tensor&) { ++on_computed; });
  const Function f = [&](const Tensor& t) { return t * w * v * u; };
  Tensor x = parameter(scalar(1.5, f64));
  const double expected = grad(f(x), {w}, {.retain_graph = true})[0].item();
  hooked = on_computed = 0;
  CHECK(grad(checkpoint(f, x), {w}, {.retain_graph = true})[0].item() == doctest::Approx(expected));
  CHECK(hooked == 1);
  CHECK(on_computed == 1);
  // The input is one of the captured, too, and comes twice.
  const FunctionOfSeveral g = [&](const Tensors& in) { return in[0] * in[1] * w * u; };
  const double twice = grad(g({w, w}), {w}, {.retain_graph = true})[0].item();
  CHECK(grad(checkpoint(g, {w, w}), {w})[0].item() == doctest::Approx(twice));
}

TEST_CASE("what a captured tensor was computed from is not captured, and may change") {
  Tensor w = parameter(scalar(2, f64));
  const Tensor x = parameter(scalar(5, f64)), doubled = w * 2.0;
  const Tensor y = checkpoint([&](const Tensor& t) { return t * doubled; }, x);
  {
    const NoGrad off;
    w.fill_(7);
  }
  y.backward();
  CHECK(x.grad().item() == 4);
  CHECK(w.grad().item() == 10);
}

TEST_CASE("recomputation draws the same numbers") {
  manual_seed(5);
  Tensor x = parameter(ones({100}, f64));
  const Function drop = [](const Tensor& t) { return t * bernoulli(t.shape(), 0.5, f64) * rand_like(t); };
  const Tensor y = checkpoint(drop, x);
  const GeneratorState after = default_generator().state();
  const Tensor other = rand({3});
  y.backward(ones({100}, f64));
  CHECK(same(x.grad(), y));
  manual_seed(5);
  CHECK(same(drop(x), y));
  CHECK(default_generator().state() == after);
}

TEST_CASE("nested, and under gradients of gradients") {
  manual_seed(2);
  Tensor w = parameter(randn({3}, f64));
  const Function inner = [&](const Tensor& t) { return sin(t * w) * rand_like(t); };
  const Function outer = [&](const Tensor& t) { return checkpoint(inner, exp(t) * w) + t; };
  const Function all = [&](const Tensor& t) { return sum(checkpoint(outer, t) * t); };
  const Function plain = [&](const Tensor& t) { return sum((inner(exp(t) * w) + t) * t); };
  Tensor x = parameter(randn({3}, f64));
  const auto derivatives = [&](const Function& f) {
    manual_seed(8);
    const Tensors first = grad(f(x), {x, w}, {.create_graph = true});
    Tensors second = grad(sum(first[0] * first[1]), {x, w});
    return Tensors{first[0], first[1], second[0], second[1]};
  };
  const Tensors expected = derivatives(plain), got = derivatives(all);
  for (std::size_t i = 0; i < 4; ++i)
    for (std::int64_t k = 0; k < 3; ++k) CHECK(got[i].at({k}) == doctest::Approx(expected[i].at({k})).epsilon(1e-12));
  const GradcheckResult checked = gradcheck(all, randn({3}, f64), {.order = 2});
  CHECK_MESSAGE(checked.ok, checked.message);
}

TEST_CASE("several results, some constant, some an input handed through") {
  Tensor x = parameter(tensor({1, 2}, {2}, f64)), y = parameter(tensor({3, 4}, {2}, f64));
  const Tensors out = checkpoint(
      [&](const Tensors& in) {
        return Tensors{in[0] * in[1], in[0], ones({2}, f64), greater(in[0], 1.0), y};
      },
      {x, y});
  CHECK(out.size() == 5);
  CHECK_FALSE(out[3].requires_grad());
  const Tensors g = grad(sum(out[0] * out[1] + out[4] * out[2]), {x, y});
  CHECK(g[0].at({1}) == 16);
  CHECK(g[1].at({1}) == 5);
}

TEST_CASE("memory is held for one part at a time") {
  const Tensor x = parameter(ones({4096}, f64));
  const Function deep = [](const Tensor& t) {
    Tensor y = t;
    for (int i = 0; i < 16; ++i) y = tanh(y);
    return y;
  };
  const auto peak = [&](const std::function<Tensor(const Tensor&)>& part) {
    reset_peak_bytes();
    const std::int64_t before = memory_stats().bytes;
    Tensor y = x;
    for (int i = 0; i < 16; ++i) y = part(y);
    sum(y).backward();
    return memory_stats().peak_bytes - before;
  };
  const std::int64_t plain = peak(deep), saving = peak([&](const Tensor&t) { return checkpoint(deep, t); });
  CHECK(saving * 4 < plain);
  Tensor quiet;
  {
    const NoGrad off;
    quiet = checkpoint(deep, x);
  }
  CHECK_FALSE(quiet.requires_grad());
}

TEST_CASE("a captured leaf that was changed in place is named") {
  Tensor x = parameter(scalar(2, f64)), w = parameter(scalar(5, f64));
  w.set_name("weight");
  const Tensor y = checkpoint([&](const Tensor& t) { return t * w; }, x);
  {
    const NoGrad off;
    w.add_(1.0);
  }
  CHECK(message_of([&] { y.backward(); }).find("'weight'") != std::string::npos);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a function that changes its mind is caught") {
  Tensor x = parameter(ones({4}, f64));
  int calls = 0;
  const Tensor y = checkpoint([&](const Tensor& t) { return calls++ == 0 ? t * 2.0 : t * rand({4}, f64); }, x);
  CHECK_THROWS_AS(y.backward(ones({4}, f64)), Error);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("an input that was changed in place is caught by name, also one of several and one inside") {
  Tensor x = parameter(tensor({2, 3}, {2}, f64)), w = parameter(tensor({5, 7}, {2}, f64));
  for (int place = 0; place < 3; ++place) {
    INFO("place ", place);
    Tensor first = x * 3.0, second = w * 2.0;
    Tensor& changed = place == 0 ? first : place == 1 ? second : w;
    changed.set_name("changed");
    const FunctionOfSeveral f = [&](const Tensors& in) {
      return checkpoint([&](const Tensor& t) { return tanh(t) * w; }, in[0]) + in[1];
    };
    const Tensor y = sum(checkpoint(f, {first, second}));
    {
      const NoGrad off;
      changed.mul_(2.0);
    }
    CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("'changed'"), Error);
    CHECK_FALSE(x.grad().defined());
    CHECK_FALSE(w.grad().defined());
  }
}

TEST_CASE("several results of a checkpoint, used or not, with captured leaves and draws") {
  Tensor x = parameter(tensor({0.5, -1, 2}, {3}, f64)), w = parameter(tensor({3, 4, 5}, {3}, f64));
  const std::function<Tensors(const Tensors&)> f = [&](const Tensors& in) {
    const Tensor noise = rand_like(in[0]);
    const Tensors inner = checkpoint(
        [&](const Tensors& t) {
          return Tensors{t[0] * w, sin(t[0]) * rand_like(t[0])};
        },
        Tensors{in[0] * noise});
    return Tensors{inner[0] * in[0], inner[1], w * noise};
  };
  for (int used = 1; used < 8; ++used) {  // a bit for each result
    INFO("used: ", used);
    const auto derivatives = [&](bool saving) {
      manual_seed(static_cast<std::uint64_t>(used));
      const Tensors out = saving ? checkpoint(f, {x}) : f({x});
      Tensor total = scalar(0, f64);
      for (std::size_t k = 0; k < 3; ++k)
        if ((used >> k & 1) != 0) total = total + sum(out[k] * (static_cast<double>(k) + 2.0));
      const Tensors first = grad(total, {x, w}, {.create_graph = true, .allow_unused = true});
      Tensors all;
      for (std::size_t i = 0; i < 2; ++i) all.push_back(first[i].defined() ? first[i].detach() : zeros({3}, f64));
      if (!first[0].defined() || !first[0].requires_grad()) return all;
      for (const Tensor& second : grad(sum(square(first[0])), {x, w}, {.allow_unused = true}))
        all.push_back(second.defined() ? second : zeros({3}, f64));
      return all;
    };
    const Tensors expected = derivatives(false), got = derivatives(true);
    for (std::size_t i = 0; i < expected.size() && i < got.size(); ++i) CHECK(allclose(got[i], expected[i], 1e-12));
    if (used != 4) CHECK(got.size() == expected.size());
  }
}

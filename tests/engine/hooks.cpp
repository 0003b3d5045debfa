// Hooks: which output they belong to, order, removal, replacement, failure; beside retain_grad() and grad().
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <string>

using namespace weft;

namespace {

std::vector<double> values(const Tensor& t) {
  const auto data = t.data<double>();
  return {data.begin(), data.end()};
}
using Values = std::vector<double>;

// Remembers every gradient that it is called with.
struct Seen {
  std::vector<Values> gradients;
  Hook hook() {
    return [this](const Tensor& g) {
      gradients.push_back(values(g));
      return Tensor();
    };
  }
};

}  // namespace

TEST_CASE("a hook of one output of several sees and replaces that output's gradient only") {
  for (std::size_t hooked = 0; hooked < 3; ++hooked) {
    INFO("output ", hooked);
    Tensor x = parameter(tensor({1, 2, 3, 4, 5, 6}, {6}, f64));
    Tensors parts = split(x, 2);
    Seen seen;
    parts[hooked].register_hook(seen.hook());
    parts[hooked].register_hook([](const Tensor& g) { return g * 10.0; });
    parts[hooked].retain_grad();
    const Tensor weights = tensor({1, 2}, {2}, f64);
    // An output that is used twice has its hook called once, with the sum.
    const Tensor y = sum(parts[0] * weights + parts[1] * 3.0 + parts[2] * 4.0 + parts[hooked] * 5.0);
    Values expected{1, 2, 3, 3, 4, 4};
    for (std::size_t i : {2 * hooked, 2 * hooked + 1}) expected[i] += 5;
    y.backward({.retain_graph = true});
    CHECK(seen.gradients == std::vector<Values>{{expected[2 * hooked], expected[2 * hooked + 1]}});
    for (std::size_t i : {2 * hooked, 2 * hooked + 1}) expected[i] *= 10;
    CHECK(values(x.grad()) == expected);
    CHECK(values(parts[hooked].grad()) == Values{expected[2 * hooked], expected[2 * hooked + 1]});
    CHECK_FALSE(parts[(hooked + 1) % 3].grad().defined());
    CHECK(values(grad(y, {x})[0]) == expected);
    CHECK(seen.gradients.size() == 2);
  }
}

TEST_CASE("hooks on all outputs, and on one that goes unused") {
  Tensor x = parameter(tensor({1, 2, 3}, {3}, f64));
  Tensors parts = split(x, 1);
  Seen seen[3];
  for (std::size_t k = 0; k < 3; ++k) {
    parts[k].register_hook(seen[k].hook());
    parts[k].retain_grad();
  }
  sum(parts[0] * 2.0 + parts[2] * 4.0).backward();
  CHECK(seen[0].gradients == std::vector<Values>{{2}});
  CHECK(seen[1].gradients.empty());
  CHECK(seen[2].gradients == std::vector<Values>{{4}});
  CHECK(parts[0].grad().item() == 2);
  CHECK_FALSE(parts[1].grad().defined());
  CHECK(parts[2].grad().item() == 4);
  CHECK(values(x.grad()) == Values{2, 0, 4});
}

TEST_CASE("retain_grad keeps what the hooks made of the gradient, whichever came first") {
  for (const bool retain_first : {false, true}) {
    Tensor x = parameter(scalar(2, f64));
    Tensor y = square(x);
    if (retain_first) y.retain_grad();
    y.register_hook([](const Tensor& g) { return g + 1.0; });
    y.register_hook([](const Tensor& g) { return g * 5.0; });
    if (!retain_first) y.retain_grad();
    (y * 3.0).backward();
    CHECK(y.grad().item() == 20);
    CHECK(x.grad().item() == 80);
  }
}

TEST_CASE("hooks run in the order of registration, each as often as it was registered") {
  for (const bool leaf : {true, false}) {
    Tensor x = parameter(scalar(1, f64));
    Tensor t = leaf ? x : x * 1.0;
    std::string order;
    const auto note = [&](char which) {
      return Hook([&order, which](const Tensor& g) {
        order += which;
        return which == 'b' ? g * 2.0 : which == 'c' ? g + 1.0 : Tensor();
      });
    };
    const Hook twice = note('b');
    HookHandle a = t.register_hook(note('a')), b = t.register_hook(twice), c = t.register_hook(note('c')),
               again = t.register_hook(twice);
    const auto gradient = [&] {
      order.clear();
      x.zero_grad();
      (t * 3.0).backward({.retain_graph = true});
      return x.grad().item();
    };
    CHECK(gradient() == (3 * 2 + 1) * 2);
    CHECK(order == "abcb");
    b.remove();  // the later registration of the same function stays
    CHECK(gradient() == (3 + 1) * 2);
    CHECK(order == "acb");
    b.remove();
    a.remove();
    HookHandle copy = again;
    copy.remove();
    again.remove();
    CHECK(gradient() == 4);
    CHECK(order == "c");
    c.remove();
    CHECK(gradient() == 3);
    CHECK(order.empty());
  }
  HookHandle none, late;
  none.remove();
  {
    late = (parameter(ones({1})) * 2.0).register_hook([](const Tensor& g) { return g; });
  }
  late.remove();
}

TEST_CASE("a hook removed by an earlier one is not called any more in that run") {
  Tensor x = parameter(scalar(1, f64));
  HookHandle second;
  x.register_hook([&](const Tensor&) { second.remove(); });
  second = x.register_hook([](const Tensor& g) { return g * 100.0; });
  x.register_hook([](const Tensor& g) { return g + 1.0; });
  (x * 2.0).backward();
  CHECK(x.grad().item() == 3);
}

TEST_CASE("a leaf's hook is called once a backward, with the whole gradient") {
  Tensor x = parameter(tensor({1, 2}, {2}, f64));
  Seen seen;
  x.register_hook(seen.hook());
  const Tensor y = sum(x * x + x * 3.0 + exp(x) * 0.0 + reshape(x, {2, 1}) * 0.0);  // {2} and {2, 1} make {2, 2}
  y.backward({.retain_graph = true});
  CHECK(seen.gradients == std::vector<Values>{{10, 14}});
  y.backward({.retain_graph = true});  // the new gradient, not the sum in .grad()
  CHECK(seen.gradients == std::vector<Values>{{10, 14}, {10, 14}});
  CHECK(values(x.grad()) == Values{20, 28});
  grad(y, {x, x});
  CHECK(seen.gradients.size() == 3);
  x.backward(tensor({5, 6}, {2}, f64));  // of itself
  CHECK(seen.gradients.back() == Values{5, 6});
  CHECK(values(x.grad()) == Values{25, 34});
}

TEST_CASE("grad calls the hooks on the way to its inputs, and no others") {
  Tensor x = parameter(scalar(2, f64)), w = parameter(scalar(5, f64));
  Tensor inner = x * 3.0, beside = w * 7.0;
  Seen on_inner, on_beside, on_x, on_w;
  inner.register_hook(on_inner.hook());
  beside.register_hook(on_beside.hook());
  x.register_hook(on_x.hook());
  w.register_hook(on_w.hook());
  inner.register_hook([](const Tensor& g) { return g * 2.0; });
  const Tensor y = inner * beside;
  CHECK(grad(y, {inner}, {.retain_graph = true})[0].item() == 70);
  CHECK(on_inner.gradients == std::vector<Values>{{35}});
  CHECK(on_x.gradients.empty());
  CHECK(grad(y, {x})[0].item() == 210);
  CHECK(on_x.gradients == std::vector<Values>{{210}});
  CHECK(on_beside.gradients.empty());
  CHECK(on_w.gradients.empty());
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("a replacement of another shape or dtype fails, and leaves every gradient as it was") {
  const std::vector<Hook> wrong{[](const Tensor& g) { return g.to(f32); }, [](const Tensor&) { return ones({3}, f64); },
                                [](const Tensor&) { return scalar(1, f64); },
                                [](const Tensor& g) {
                                  return reshape(g, {1, 2});
                                },
                                [](const Tensor&) -> Tensor { throw Error("hook: no"); }};
  for (std::size_t k = 0; k < wrong.size(); ++k) {
    for (const int place : {0, 1, 2}) {  // on a computed tensor, on the leaf that is met first, on the other leaf
      INFO("hook ", k, ", place ", place);
      Tensor x = parameter(tensor({1, 2}, {2}, f64)), w = parameter(tensor({3, 4}, {2}, f64));
      Tensor h = x * w, y = sum(h * x);
      h.retain_grad();
      y.backward({.retain_graph = true});
      const Values before_x = values(x.grad()), before_w = values(w.grad()), before_h = values(h.grad());
      HookHandle handle = (place == 0 ? h : place == 1 ? x : w).register_hook(wrong[k]);
      CHECK_THROWS_WITH_AS(y.backward({.retain_graph = true}), doctest::Contains("hook: "), Error);
      CHECK(values(x.grad()) == before_x);
      CHECK(values(w.grad()) == before_w);
      CHECK(values(h.grad()) == before_h);
      if (place == 0) CHECK_THROWS_AS(grad(y, {x}, {.retain_graph = true}), Error);
      handle.remove();
      y.backward();
      CHECK(x.grad().at({0}) == 2 * before_x[0]);
      CHECK(w.grad().at({1}) == 2 * before_w[1]);
      CHECK(h.grad().at({1}) == 2 * before_h[1]);
    }
  }
}

TEST_CASE("a hook may keep the gradient that it saw, and replace it by a recorded one") {
  Tensor x = parameter(tensor({1, 2}, {2}, f64)), scale = parameter(scalar(4, f64));
  Tensor y = x * 3.0, kept;
  y.register_hook([&](const Tensor& g) { kept = g; });
  sum(y * y + y).backward();
  const Values before = values(kept);
  CHECK(before == Values{7, 13});
  (x * 5.0).backward(ones({2}, f64));
  CHECK(values(kept) == before);
  Tensor z = square(x);
  z.register_hook([&](const Tensor& g) { return g * scale; });
  const Tensor first = grad(sum(z), {x}, {.create_graph = true})[0];
  CHECK(values(first) == Values{8, 16});
  CHECK(grad(sum(first), {scale})[0].item() == 6);
}

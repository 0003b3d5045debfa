// Backward writes a gradient over the one that it is made of only where nobody else sees that.
#include <doctest/doctest.h>
#include <tests/support/same.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Chain {
  Tensor x = parameter(randn({40, 7}, f64)), w = parameter(randn({40, 7}, f64));
  Tensor a = x * w, b = sin(a), c = a - b, d = sigmoid(c) * b, e = exp(-d);
};

}  // namespace

TEST_CASE("gradients that are asked for on the way are those asked for one by one") {
  manual_seed(1);
  const Chain t;
  const Tensor seed = randn({40, 7}, f64), before = seed.clone();
  const Tensors wanted{t.e, t.d, t.c, t.b, t.a, t.x, t.w};
  const auto of = [&](const Tensors& inputs) {
    return grad(t.e, inputs, {.grad_outputs = {seed}, .retain_graph = true});
  };
  const Tensors all = of(wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(same_bits(all[i], of({wanted[i]})[0]));
  CHECK(same_bits(all[0], before));
  CHECK(same_bits(seed, before));
}

TEST_CASE("kept gradients, and those that hooks have seen, stay as they were") {
  manual_seed(2);
  Chain t;
  const Tensors wanted{t.e, t.d, t.c, t.b, t.a};
  const Tensors expected = grad(sum(t.e), wanted, {.retain_graph = true});
  Tensors seen(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Tensor at = wanted[i];
    if (i % 2 == 0) at.retain_grad();
    at.register_hook([&seen, i](const Tensor& g) {
      seen[i] = g;
      return Tensor();
    });
  }
  sum(t.e).backward();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(same_bits(seen[i], expected[i]));
    if (i % 2 == 0) CHECK(same_bits(wanted[i].grad(), expected[i]));
  }
}

TEST_CASE("a chain of unary ops goes back in one gradient's memory") {
  manual_seed(3);
  const Tensor x = parameter(randn({1000, 100}));
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = tanh(y);
  const Tensor loss = sum(y);
  reset_peak_bytes();
  const std::int64_t before = memory_stats().bytes, one = 4 * x.size();
  (void)grad(loss, {x}, {.retain_graph = true});
  CHECK(memory_stats().peak_bytes - before < one + one / 2);
}

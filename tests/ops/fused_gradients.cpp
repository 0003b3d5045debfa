// fused: gradients of broadcast operands, of some inputs only, to the third order, what is kept for them, and threads.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/fused.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>

#include <cmath>
#include <cstring>

using namespace weft;

namespace {

const auto gate = [](auto a, auto b, auto c) { return a * sigmoid(b) + c * tanh(b * a) - exp(-square(c)); };
const auto swish = [](auto x, auto b) {
  const auto z = x + b;
  return z * sigmoid(z);
};
const auto gelu_by_tanh = [](auto x) { return 0.5 * x * (1.0 + tanh(0.7978845608 * (x + 0.044715 * (x * x * x)))); };
const auto soft = [](auto x) { return maximum(x, 0.0) + log1p(exp(-abs(x))); };

Tensor leaf(const Shape& shape, DType dtype, Generator& random) { return parameter(randn(shape, dtype, random)); }

bool near(const Tensor& got, const Tensor& expected) {
  const double tolerance = got.dtype() == f64 ? 1e-10 : 2e-4;
  return got.shape() == expected.shape() && allclose(got, expected, tolerance, tolerance);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.data<float>().data(), b.data<float>().data(),
                                               static_cast<std::size_t>(a.size()) * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("gradients of broadcast operands are the plain ops'") {
  Generator random(5);
  const auto fused_gate = fused(gate);
  const std::vector<std::vector<Shape>> cases{
      {{60, 700}, {700}, {60, 700}},            // a row
      {{60, 700}, {60, 1}, {1, 1}},             // a column, one number
      {{3, 5000}, {5000}, {3, 1}},              // rows longer than a block, and than are summed within the pass
      {{2, 40'000}, {2, 1}, {}},                // and than what one thread takes
      {{9000, 3}, {3}, {9000, 1}},              // short rows
      {{40, 1, 33}, {1, 20, 33}, {40, 20, 1}},  // both ends, and the middle
      {{6, 7, 1, 5}, {7, 9, 1}, {5}},           // several axes
      {{1}, {1}, {1, 1}},
      {{3, 0}, {3, 1}, {0}},
      {{0, 4}, {4}, {1}}};
  for (const DType dtype : {f32, f64})
    for (const std::vector<Shape>& shapes : cases) {
      INFO(name_of(dtype), " ", detail::to_text(shapes[0]), " ", detail::to_text(shapes[1]));
      Tensors in;
      for (const Shape& shape : shapes) in.push_back(leaf(shape, dtype, random));
      const Tensor y = fused_gate(in[0], in[1], in[2]), expected = gate(in[0], in[1], in[2]);
      CHECK(near(y, expected));
      const GradOptions options{.grad_outputs = {randn(y.shape(), dtype, random)}, .retain_graph = true};
      const Tensors got = grad(y, in, options), plain = grad(expected, in, options);
      for (std::size_t k = 0; k < 3; ++k) {
        INFO("input ", k);
        const double scale =
            1 + static_cast<double>(y.size()) / static_cast<double>(std::max<std::int64_t>(in[k].size(), 1));
        CHECK(near(got[k] / std::sqrt(scale), plain[k] / std::sqrt(scale)));
        CHECK(near(grad(y, {in[k]}, options)[0] / std::sqrt(scale), got[k] / std::sqrt(scale)));
      }
    }
}

TEST_CASE("only what requires a gradient gets one") {
  Generator random(6);
  const auto fused_gate = fused(gate);
  for (unsigned needed = 1; needed < 8; ++needed) {
    Tensors in, leaves;
    for (unsigned k = 0; k < 3; ++k) {
      in.push_back(randn({700, 3}, f64, random));
      if (needed >> k & 1U) {
        in.back().set_requires_grad(true);
        leaves.push_back(in.back());
      }
    }
    const Tensors got = grad(sum(fused_gate(in[0], in[1], in[2])), leaves);
    const Tensors expected = grad(sum(gate(in[0], in[1], in[2])), leaves);
    for (std::size_t k = 0; k < leaves.size(); ++k) CHECK(near(got[k], expected[k]));
  }
}

TEST_CASE("derivatives to the third order") {
  Generator random(7);
  const auto check = [&](const auto& f, const auto& plain, const Tensors& in) {
    Tensor got = sum(f(in)), expected = sum(plain(in));
    for (int order = 1; order <= 3; ++order) {
      INFO("order ", order);
      const Tensors a = grad(got, in, {.create_graph = true}), b = grad(expected, in, {.create_graph = true});
      got = expected = scalar(0.0, f64);
      for (std::size_t k = 0; k < in.size(); ++k) {
        CHECK(near(a[k], b[k]));
        const Tensor weight = randn(in[k].shape(), f64, random);
        got = got + sum(a[k] * weight);
        expected = expected + sum(b[k] * weight);
      }
    }
    for (int order = 1; order <= 3; ++order) {
      const GradcheckResult checked = gradcheck([&](const Tensors& t) { return f(t); }, in, {.order = order});
      CHECK_MESSAGE(checked.ok, checked.message);
    }
  };
  const auto f = fused(gate);
  const auto g = fused(swish);
  const auto h = fused(gelu_by_tanh);
  check([&](const Tensors& t) { return f(t[0], t[1], t[2]); }, [](const Tensors& t) { return gate(t[0], t[1], t[2]); },
        {leaf({3, 4}, f64, random), leaf({4}, f64, random), leaf({3, 1}, f64, random)});
  check([&](const Tensors& t) { return g(t[0], t[1]); }, [](const Tensors& t) { return swish(t[0], t[1]); },
        {leaf({3, 4}, f64, random), leaf({4}, f64, random)});
  check([&](const Tensors& t) { return h(t[0]); }, [](const Tensors& t) { return gelu_by_tanh(t[0]); },
        {leaf({7}, f64, random)});
}

TEST_CASE("a recorded function keeps no more memory than the plain ops") {
  Generator random(8);
  const std::int64_t n = 1 << 16;
  // The operands are computed and dropped, so that all that is alive afterwards was kept for the gradient.
  const auto kept = [&](const auto& f, int operands) {
    Tensors leaves;
    for (int k = 0; k < operands; ++k) leaves.push_back(leaf({n}, f32, random));
    const std::int64_t before = memory_stats().bytes;
    const Tensor y = f(leaves);
    return memory_stats().bytes - before;
  };
  const auto compare = [&](const auto& f, const auto& plain, int operands) {
    const std::int64_t slack = 4096;  // of nodes
    CHECK(kept(f, operands) <= kept(plain, operands) + slack);
  };
  const auto a = fused(gate);
  const auto b = fused(swish);
  const auto c = fused(gelu_by_tanh);
  const auto d = fused(soft);
  const auto e = fused([](auto x, auto y) { return tanh(x + y); });
  const auto f = fused([](auto x, auto y) { return square(x - y); });
  const auto twice = [](const Tensor& t) { return t + 1.0; };
  compare([&](const Tensors& t) { return a(twice(t[0]), twice(t[1]), twice(t[2])); },
          [&](const Tensors& t) { return gate(twice(t[0]), twice(t[1]), twice(t[2])); }, 3);
  compare([&](const Tensors& t) { return b(twice(t[0]), twice(t[1])); },
          [&](const Tensors& t) { return swish(twice(t[0]), twice(t[1])); }, 2);
  compare([&](const Tensors& t) { return c(twice(t[0])); }, [&](const Tensors& t) { return gelu_by_tanh(twice(t[0])); },
          1);
  compare([&](const Tensors& t) { return d(twice(t[0])); }, [&](const Tensors& t) { return soft(twice(t[0])); }, 1);
  compare([&](const Tensors& t) { return e(twice(t[0]), twice(t[1])); },
          [&](const Tensors& t) { return tanh(twice(t[0]) + twice(t[1])); }, 2);
  compare([&](const Tensors& t) { return f(twice(t[0]), twice(t[1])); },
          [&](const Tensors& t) { return square(twice(t[0]) - twice(t[1])); }, 2);
}

TEST_CASE("results are the same bits on one thread and two") {
  Generator random(9);
  const auto f = fused(gate);
  const int before = num_threads();
  for (const std::vector<Shape>& shapes : std::vector<std::vector<Shape>>{
           {{300, 500}, {500}, {300, 1}}, {{100'000}, {}, {1}}, {{3, 50'001}, {3, 1}, {50'001}}}) {
    Tensors in, results[2];
    for (const Shape& shape : shapes) in.push_back(leaf(shape, f32, random));
    for (int threads = 1; threads <= 2; ++threads) {
      set_num_threads(threads);
      const Tensor y = f(in[0], in[1], in[2]);
      Tensors& found = results[threads - 1];
      found = grad(y, in, {.grad_outputs = {y.detach()}});
      found.push_back(y.detach());
    }
    for (std::size_t k = 0; k < 4; ++k) CHECK(same_bits(results[0][k], results[1][k]));
  }
  set_num_threads(before);
}

TEST_CASE("an operand that is rearranged first, and a gradient that is handed on") {
  Generator random(10);
  const auto f = fused([](auto x, auto y) { return x + y * sigmoid(y); });
  const Tensor x = leaf({30, 20}, f64, random), y = leaf({20, 30}, f64, random);
  const Tensor weight = randn({20, 30}, f64, random);
  const Tensors got = grad(f(transpose(x), y), {x, y}, {.grad_outputs = {weight}});
  CHECK(near(got[0], transpose(weight)));
  const Tensors expected = grad(y * sigmoid(y), {y}, {.grad_outputs = {weight}});
  CHECK(near(got[1], expected[0]));
}

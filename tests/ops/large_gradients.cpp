// Gradients of every row of the op table on inputs beyond what its kernels do at a time and with odd sizes: along
// random directions beside differences, element by element f32's beside f64's and recorded ones beside those of the
// kernels; on one thread and on two, with the same bits.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>
#include <tests/support/sanitized.hpp>
#include <tests/support/threads.hpp>

#include <cmath>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/unary.hpp>

using namespace weft;
using weft::test::Array;
using weft::test::OpRow;
using weft::test::Threads;

namespace {

using Values = std::vector<double>;
using Function = std::function<Tensors(const Tensors&)>;

constexpr test::Domain around_zero = {test::Domain::uniform, -1, 1};

bool is_wanted(const Tensor& t) { return is_floating(t.dtype()); }

// The same values, the floating ones in another dtype.
Tensors converted(Tensors tensors, DType dtype) {
  for (Tensor& t : tensors)
    if (is_wanted(t)) t = t.to(dtype);
  return tensors;
}

Tensors weights_of(const Tensors& outputs) {
  Tensors weights;
  for (std::size_t k = 0; k < outputs.size(); ++k)
    weights.push_back(test::make_inputs({{outputs[k].shape(), around_zero}}, f64, k + 5)[0]);
  return weights;
}

struct Result {
  Tensors outputs, gradients;  // the gradients of the weighted outputs for the floating inputs, in their order
};
Result run(const Function& f, const Tensors& inputs, const Tensors& weights, int threads, bool record = false) {
  const Threads scope(threads);
  Tensors leaves, wanted;
  for (const Tensor& t : inputs) {
    leaves.push_back(is_wanted(t) ? parameter(t.clone()) : t);
    if (is_wanted(t)) wanted.push_back(leaves.back());
  }
  Result result{f(leaves), {}};
  result.gradients =
      grad(result.outputs, wanted, {.grad_outputs = weights, .create_graph = record, .allow_unused = true});
  return result;
}

Tensors on_one_thread(const Function& f, const Tensors& inputs) {
  const Threads one(1);
  return f(inputs);
}

// Empty if the gradient of the weighted outputs for input k has the slope that differences have along a random
// direction. Both are sums of random terms, so that the errors of differences stay near 1e-8 of their size, the root of
// the sum of the terms' squares, while one wrong element of n makes an error of about 1 / sqrt(n) of it.
std::string wrong_slope(const Function& f, const Tensors& inputs, const Tensors& weights, std::size_t k,
                        const Tensor& gradient) {
  constexpr double step = 1e-6, rounding = 1e-15;
  const Values direction = Array(test::make_inputs({{inputs[k].shape(), around_zero}}, f64, 11)[0]).values;
  const auto moved = [&](double by) {
    Tensors there = inputs;
    there[k] = inputs[k].clone();
    const auto data = there[k].mutable_data<double>();
    for (std::size_t i = 0; i < data.size(); ++i) data[i] += by * direction[i];
    return on_one_thread(f, there);
  };
  const Tensors above = moved(step), below = moved(-step);
  double numeric = 0, noise = 0, analytic = 0, size = 0;
  for (std::size_t o = 0; o < weights.size(); ++o) {
    const auto up = above[o].data<double>(), down = below[o].data<double>(), weight = weights[o].data<double>();
    for (std::size_t i = 0; i < weight.size(); ++i) {
      numeric += weight[i] * (up[i] - down[i]) / (2 * step);
      noise += std::pow(weight[i] * up[i] * rounding / step, 2);
    }
  }
  if (gradient.defined()) {
    const auto slope = gradient.data<double>();
    for (std::size_t i = 0; i < slope.size(); ++i) {
      analytic += slope[i] * direction[i];
      size += std::pow(slope[i] * direction[i], 2);
    }
  }
  if (std::abs(analytic - numeric) <= 1e-6 * std::sqrt(size) + std::sqrt(noise)) return {};
  return "slope " + detail::to_text(analytic) + ", by differences " + detail::to_text(numeric) + ", of size " +
         detail::to_text(std::sqrt(size));
}

std::string wrong_slopes(const Function& f, const Tensors& inputs, const Tensors& weights, const Tensors& gradients) {
  std::size_t place = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!is_wanted(inputs[k])) continue;
    const std::string text = wrong_slope(f, inputs, weights, k, gradients[place++]);
    if (!text.empty()) return "input " + std::to_string(k) + ": " + text;
  }
  return {};
}

void check_same(const Tensors& got, const Tensors& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    REQUIRE(got[k].defined() == expected[k].defined());
    if (got[k].defined()) CHECK(test::difference(Array(got[k]), Array(expected[k]), tolerance) == "");
  }
}

void check_bits(const Tensors& got, const Tensors& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) CHECK(test::difference_of_bits(got[k], expected[k]) == "");
}

void check_threads(const OpRow& row, const Result& alone, const Result& shared, double tolerance) {
  if (row.by_threads.empty()) {
    check_bits(shared.outputs, alone.outputs);
    check_bits(shared.gradients, alone.gradients);
  } else {
    check_same(shared.outputs, alone.outputs, tolerance);
    check_same(shared.gradients, alone.gradients, tolerance);
  }
}

// As tanh, but one derivative of all is left out.
struct OneShortTanh : Op<OneShortTanh> {
  static constexpr const char* name = "one_short_tanh";
  static Tensor forward(Context& ctx, const Tensor& x) {
    ctx.save(x);
    return tanh(x);
  }
  static Tensor backward(Context& ctx, const Tensor& g) {
    Tensor slope = g * (1.0 - square(tanh(ctx.saved(0))));
    slope.mutable_data<double>()[17] = 0;
    return slope;
  }
};

}  // namespace

TEST_CASE("gradients of large inputs") {
  for (const OpRow& row : test::op_table()) {
    if (!row.differentiable) continue;
    for (const test::Inputs& inputs : row.large) {
      const Tensors wide = test::make_inputs(inputs), narrow = converted(wide, f32);
      if (std::none_of(wide.begin(), wide.end(), is_wanted)) continue;
      INFO(row.title(), " of ", detail::to_text(inputs[0].shape));
      const Tensors plain = on_one_thread(row.function, wide), weights = weights_of(plain);
      const Result exact = run(row.function, wide, weights, test::sanitized ? 2 : 1);
      check_same(exact.outputs, plain, row.tolerance);
      const Tensors rough_weights = converted(weights, f32);
      const Result rough = run(row.function, narrow, rough_weights, test::sanitized ? 2 : 1);
      check_same(rough.outputs, plain, row.f32_tolerance);
      check_same(rough.gradients, exact.gradients, 5 * row.f32_tolerance);
      if (test::sanitized) continue;
      CHECK(wrong_slopes(row.function, wide, weights, exact.gradients) == "");
      check_same(run(row.function, wide, weights, 1, true).gradients, exact.gradients, 1e-10);
      check_threads(row, exact, run(row.function, wide, weights, 2), row.tolerance);
      check_threads(row, rough, run(row.function, narrow, rough_weights, 2), 5 * row.f32_tolerance);
    }
  }
}

TEST_CASE("one wrong element of a large gradient is found") {
  const Tensors x = test::make_inputs({{{66'001}}}), weights = weights_of(x);
  const auto wrong = [&](const Function& f) { return wrong_slopes(f, x, weights, run(f, x, weights, 1).gradients); };
  CHECK(wrong([](const Tensors& in) { return Tensors{tanh(in[0])}; }) == "");
  CHECK(wrong([](const Tensors& in) { return Tensors{apply<OneShortTanh>(in[0])}; }) != "");
}

// What an op's backward is given: the context's account of its inputs, absent ones too, and what forward saved.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>
#include <sstream>

using namespace weft;

namespace {

// y = a + b, or a alone where b is absent.
struct MaybeAdd : Op<MaybeAdd> {
  static constexpr const char* name = "maybe_add";
  static Tensor forward(Context& context, const Tensor& b, const Tensor& a) {
    context.save(b);
    return b.defined() ? a + b : a + 0.0;
  }
  static Tensors backward(Context& context, const Tensor& g) { return {context.saved(0).defined() ? g : ones({3}), g}; }
};

// a + c; its backward writes down what the context says of each input.
struct Inquiry {
  static constexpr const char* name = "inquiry";
  std::ostringstream* told;
  static Tensor forward(Context&, const Tensor& a, const Tensor&, const Tensor& c, const Tensor&) { return a + c; }
  Tensors backward(Context& context, const Tensor& g) const {
    for (int i = 0; i < context.input_count(); ++i)
      *told << context.shape(i) << context.dtype(i) << (context.needs(i) ? " wanted, " : ", ");
    return {g, Tensor(), g, Tensor()};
  }
};

// The double and the exponential, of which the latter is saved.
struct DoubleAndExp : Op<DoubleAndExp> {
  static constexpr const char* name = "double_and_exp";
  static Tensors forward(Context& context, const Tensor& a) {
    const Tensor e = exp(a);
    context.save(e);
    return {a * 2.0, e};
  }
  static Tensor backward(Context& context, const Tensors& g) { return g[0] * 2.0 + g[1] * context.saved(0); }
};

// Hands its factor through, which it has saved.
struct ScaleAndFactor : Op<ScaleAndFactor> {
  static constexpr const char* name = "scale_and_factor";
  static Tensors forward(Context& context, const Tensor& a, const Tensor& factor) {
    context.save(factor);
    return {a * factor, factor};
  }
  static Tensors backward(Context& context, const Tensors& g) { return {g[0] * context.saved(0), Tensor()}; }
};

}  // namespace

TEST_CASE("absent inputs and saved absent tensors") {
  Tensor a = parameter(tensor({1, 2}, {2}, f64));
  const Tensor y = apply<MaybeAdd>(Tensor(), a);
  CHECK(y.shape() == Shape{2});
  const Tensor g = grad(y, {a}, {.grad_outputs = {ones({2}, f64)}})[0];
  CHECK(g.at({1}) == 1);
  CHECK(grad(apply<MaybeAdd>(a, a), {a}, {.grad_outputs = {ones({2}, f64)}})[0].at({1}) == 2);
}

TEST_CASE("the context knows every input, absent ones and constants too") {
  const Tensor a = parameter(ones({2, 3}, f64)), c = parameter(ones({3}, f64));
  std::ostringstream told;
  const Tensor y = sum(apply(Inquiry{&told}, a, Tensor(), c, ones({4}, i64)));
  grad(y, {a, c}, {.retain_graph = true});
  CHECK(told.str() == "{2, 3}f64 wanted, {}f32, {3}f64 wanted, {4}i64, ");
  told.str("");
  grad(y, {c});
  CHECK(told.str() == "{2, 3}f64, {}f32, {3}f64 wanted, {4}i64, ");
}

TEST_CASE("a saved output has its own place among the outputs") {
  const Tensor a = parameter(scalar(0.5, f64));
  const Tensors both = apply<DoubleAndExp>(a);
  const Tensor first = grad(both[1], {a}, {.create_graph = true})[0];
  CHECK(first.item() == std::exp(0.5));
  CHECK(grad(first, {both[1]}, {.retain_graph = true})[0].item() == 1);
  CHECK(grad(first, {a})[0].item() == std::exp(0.5));
}

TEST_CASE("a saved constant stays one where it is an output too") {
  const Tensor a = parameter(scalar(2, f64)), factor = scalar(3, f64);
  const Tensors both = apply<ScaleAndFactor>(a, factor);
  CHECK(both[1].impl() != factor.impl());
  CHECK_FALSE(factor.requires_grad());
  const Tensor first = grad(both[0], {a}, {.create_graph = true})[0];
  CHECK(first.item() == 3);
  CHECK_FALSE(first.requires_grad());
}

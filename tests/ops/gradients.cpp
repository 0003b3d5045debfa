// Gradients of every row of the op table: beside differences, to third order; f32 beside f64; of empty tensors.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>
#include <tests/support/sanitized.hpp>

#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/unary.hpp>

using namespace weft;
using weft::test::Array;
using weft::test::OpRow;

namespace {

// As tanh, with the derivative of something else.
struct WrongTanh : Op<WrongTanh> {
  static constexpr const char* name = "wrong_tanh";
  static Tensor forward(Context& ctx, const Tensor& x) {
    ctx.save(x);
    return tanh(x);
  }
  static Tensor backward(Context& ctx, const Tensor& g) { return g * (1.0 - square(ctx.saved(0))); }
};
// Right, but its backward is not differentiable.
struct RightOnce : Op<RightOnce> {
  static constexpr const char* name = "right_once";
  static Tensor forward(Context& ctx, const Tensor& x) {
    ctx.save(x);
    return square(x);
  }
  static Tensor backward(Context& ctx, const Tensor& g) { return g * (2.0 * ctx.saved(0).detach()); }
};

GradcheckResult check(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs, int order) {
  return gradcheck(f, inputs, {.order = order});
}

// The gradients of the outputs, each weighted with fixed numbers, with respect to the floating inputs.
Tensors gradients(const OpRow& row, const Tensors& inputs) {
  Tensors leaves, wanted;
  for (const Tensor& t : inputs) {
    leaves.push_back(is_floating(t.dtype()) ? parameter(t.clone()) : t);
    if (is_floating(t.dtype())) wanted.push_back(leaves.back());
  }
  const Tensors outputs = row.function(leaves);
  Tensors weights;
  for (std::size_t k = 0; k < outputs.size(); ++k)
    weights.push_back(test::make_inputs({{outputs[k].shape(), test::fraction}}, outputs[k].dtype(), k + 5)[0]);
  return grad(outputs, wanted, {.grad_outputs = weights, .allow_unused = true});
}

}  // namespace

TEST_CASE("gradients agree with differences to third order") {
  for (const OpRow& row : test::op_table()) {
    if (!row.differentiable) continue;
    for (const test::Inputs& inputs : row.cases) {
      const Tensors tensors = test::make_inputs(inputs, f64, 3);
      // Element by element takes long on larger cases: random directions there, and where something is empty.
      const bool fast = test::size_of(inputs) > 60 || test::has_empty(inputs);
      const GradcheckResult result = gradcheck(row.function, tensors, {.order = test::sanitized ? 2 : 3, .fast = fast});
      INFO(row.title(), ": ", result.message);
      CHECK(result.ok);
    }
  }
}

TEST_CASE("planted mistakes are caught") {
  const Tensors x = test::make_inputs({{{2, 3}}});
  CHECK(check([](const Tensors& in) { return Tensors{tanh(in[0])}; }, x, 2).ok);
  const auto wrong = check([](const Tensors& in) { return Tensors{apply<WrongTanh>(in[0])}; }, x, 1);
  CHECK(!wrong.ok);
  CHECK(wrong.message.find("wrong_tanh") != std::string::npos);
  const auto once = [](const Tensors& in) { return Tensors{apply<RightOnce>(in[0])}; };
  CHECK(check(once, x, 1).ok);
  CHECK(!check(once, x, 2).ok);
}

TEST_CASE("f32 gradients agree with f64's") {
  for (const OpRow& row : test::op_table()) {
    if (!row.differentiable) continue;
    for (const test::Inputs& inputs : row.cases) {
      INFO(row.title(), " of ", detail::to_text(inputs[0].shape));
      const Tensors wide = gradients(row, test::make_inputs(inputs, f64)),
                    narrow = gradients(row, test::make_inputs(inputs, f32));
      REQUIRE(wide.size() == narrow.size());
      for (std::size_t k = 0; k < wide.size(); ++k) {
        REQUIRE(wide[k].defined() == narrow[k].defined());
        if (!wide[k].defined()) continue;
        CHECK(narrow[k].dtype() == f32);
        CHECK(test::difference(Array(narrow[k]), Array(wide[k]), 5 * row.f32_tolerance) == "");
      }
    }
  }
}

TEST_CASE("only the gradients that are wanted are needed") {
  for (const OpRow& row : test::op_table()) {
    if (!row.differentiable || row.cases[0].size() < 2) continue;
    INFO(row.title());
    const Tensors all = gradients(row, test::make_inputs(row.cases[0]));
    std::size_t place = 0;
    for (std::size_t k = 0; k < row.cases[0].size(); ++k) {
      if (!is_floating(row.cases[0][k].dtype)) continue;
      Tensors inputs = test::make_inputs(row.cases[0]);
      inputs[k] = parameter(inputs[k]);
      const Tensors outputs = row.function(inputs);
      Tensors weights;
      for (std::size_t o = 0; o < outputs.size(); ++o)
        weights.push_back(test::make_inputs({{outputs[o].shape(), test::fraction}}, f64, o + 5)[0]);
      const Tensors alone = grad(outputs, {inputs[k]}, {.grad_outputs = weights});
      CHECK(test::difference(Array(alone[0]), Array(all[place++]), 1e-12) == "");
    }
  }
}

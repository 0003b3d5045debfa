// Functional transforms, gradcheck's own honesty, and views of the graph.
#include <doctest/doctest.h>
#include <weft/engine/backward.hpp>
#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/functional.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/engine/graph.hpp>
#include <weft/engine/op.hpp>
#include <weft/engine/random.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <cmath>

using namespace weft;

namespace {

struct Cube : Op<Cube> {
  static constexpr const char* name = "cube";
  static Tensor forward(Context& context, const Tensor& x) {
    context.save(x);
    return x * x * x;
  }
  static Tensors backward(Context& context, const Tensor& g) { return {g * 3.0 * square(context.saved(0))}; }
};
struct WrongCube : Op<WrongCube> {
  static constexpr const char* name = "wrong_cube";
  static Tensor forward(Context& context, const Tensor& x) { return Cube::forward(context, x); }
  static Tensors backward(Context& context, const Tensor& g) { return {g * 2.0 * square(context.saved(0))}; }
};
// Right at first order only: the derivative is hidden from the tape.
struct OnceCube : Op<OnceCube> {
  static constexpr const char* name = "once_cube";
  static Tensor forward(Context& context, const Tensor& x) { return Cube::forward(context, x); }
  static Tensors backward(Context& context, const Tensor& g) { return {g * (3.0 * square(context.saved(0))).detach()}; }
};
// A sum as the cotangent would not notice: the gradients are right but in the wrong order.
struct Reversed : Op<Reversed> {
  static constexpr const char* name = "reversed";
  static Tensor forward(Context&, const Tensor& x) { return x * 2.0; }
  static Tensors backward(Context&, const Tensor& g) {
    const Tensors parts = split(g, 1);
    return {concat({parts[1], parts[0]}) * 2.0};
  }
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("jacobians, both products and second derivatives of a known function") {
  // f(x) = (x0 x1, x0^3); its Jacobian is ((x1, x0), (3 x0^2, 0)).
  const Function f = [](const Tensor& x) {
    const Tensors parts = split(x, 1);
    return concat({parts[0] * parts[1], pow(parts[0], 3.0)});
  };
  const Tensor x = tensor({2, 5}, {2}, f64);
  const Tensor j = jacobian(f, x);
  CHECK(j.shape() == Shape{2, 2});
  CHECK(j.at({0, 0}) == doctest::Approx(5));
  CHECK(j.at({0, 1}) == doctest::Approx(2));
  CHECK(j.at({1, 0}) == doctest::Approx(12));
  CHECK(j.at({1, 1}) == doctest::Approx(0));
  CHECK(vjp(f, x, tensor({1, 10}, {2}, f64)).at({0}) == doctest::Approx(125));
  CHECK(jvp(f, x, tensor({1, 10}, {2}, f64)).at({0}) == doctest::Approx(25));
  CHECK(jvp(f, x, tensor({1, 10}, {2}, f64)).at({1}) == doctest::Approx(12));
  const Function s = [&](const Tensor& t) { return sum(f(t)); };
  const Tensor h = hessian(s, x);
  CHECK(h.at({0, 0}) == doctest::Approx(12));
  CHECK(h.at({0, 1}) == doctest::Approx(1));
  CHECK(h.at({1, 1}) == doctest::Approx(0));
  CHECK(hvp(s, x, tensor({1, 2}, {2}, f64)).at({0}) == doctest::Approx(14));
  CHECK_FALSE(h.requires_grad());
  CHECK_THROWS_AS(hessian(f, x), Error);
  CHECK_THROWS_AS(jvp(f, x, ones({3}, f64)), Error);
  CHECK_THROWS_AS(vjp(f, x, ones({3}, f64)), Error);
}

TEST_CASE("transforms of several inputs, of constants, of linear functions") {
  const Tensor a = tensor({1, 2}, {2}, f64), b = tensor({3, 4}, {2}, f64);
  const FunctionOfSeveral dot = [](const Tensors& in) { return sum(in[0] * in[1]); };
  CHECK(jacobian(dot, {a, b})[1].at({1}) == 2);
  CHECK(hessian(dot, {a, b})[0][1].at({1, 1}) == 1);
  CHECK(hessian(dot, {a, b})[0][0].at({1, 1}) == 0);
  CHECK(hvp(dot, {a, b}, {a, a})[0].at({1}) == 2);
  CHECK(jvp(dot, {a, b}, {b, a}).item() == 9 + 16 + 1 + 4);
  const Function constant = [](const Tensor&) { return ones({3}, f64); };
  CHECK(jacobian(constant, a).shape() == Shape{3, 2});
  CHECK(jvp(constant, a, a).at({2}) == 0);
  CHECK(hvp([](const Tensor& t) { return sum(t); }, a, a).at({0}) == 0);
}

TEST_CASE("transforms can be differentiated themselves") {
  Tensor x = parameter(tensor({1, 2}, {2}, f64)), w = parameter(scalar(3, f64));
  const Function f = [&](const Tensor& t) { return t * t * t * w; };
  const TransformOptions record{.create_graph = true};
  const Tensor j = jacobian(f, x, record);  // diagonal, 3 w x^2
  CHECK(grad(sum(j), {x, w}, {.retain_graph = true})[0].at({1}) == doctest::Approx(36));
  CHECK(grad(sum(j), {w})[0].item() == doctest::Approx(15));
  CHECK(grad(sum(jvp(f, x, ones({2}, f64), record)), {x})[0].at({1}) == doctest::Approx(36));
  const Function s = [&](const Tensor& t) { return sum(f(t)); };
  CHECK(grad(sum(hessian(s, x, record)), {x})[0].at({0}) == doctest::Approx(18));
  CHECK(hessian([&](const Tensor& t) { return sum(jacobian(f, t, record)); }, x).at({1, 1}) == doctest::Approx(18));
}

TEST_CASE("gradcheck passes what is right, at every order") {
  manual_seed(1);
  const Tensor x = randn({3, 4}, f64), row = randn({4}, f64);
  for (const bool fast : {false, true}) {
    const GradcheckResult r =
        gradcheck([](const Tensors& in) { return tanh(in[0] * in[1]) + in[1]; }, {x, row}, {.order = 2, .fast = fast});
    CHECK_MESSAGE(r.ok, r.message);
    CHECK(r.max_error < 1e-5);
  }
  CHECK(gradcheck([](const Tensor& t) { return apply<Cube>(t); }, x, {.order = 3}).ok);
  // Draws are held fixed; integer inputs, handed-through inputs, constants and large outputs are fine.
  CHECK(gradcheck([](const Tensor& t) { return t * rand_like(t); }, x, {.order = 2}).ok);
  CHECK(gradcheck(
            [](const Tensors& in) {
              return Tensors{in[0], ones({2}, f64), in[1], in[0] * 2.0};
            },
            {x, ones({3}, i64)}, {.order = 2})
            .ok);
  CHECK(gradcheck([](const Tensor& t) { return broadcast_to(t, {1000, 4}) * 2.0; }, row).ok);
  const Tensor before = x.clone();
  CHECK(sum(abs(before - x)).item() == 0);
}

TEST_CASE("gradcheck names what is wrong") {
  manual_seed(2);
  const Tensor x = randn({2, 3}, f64);
  for (const bool fast : {false, true}) {
    const GradcheckResult wrong =
        gradcheck([](const Tensors& in) { return in[0] + apply<WrongCube>(in[1]); }, {x, x}, {.fast = fast});
    CHECK_FALSE(wrong.ok);
    CHECK(has(wrong.message, "wrong_cube"));
    CHECK(has(wrong.message, "input 1"));
    CHECK(has(wrong.message, "element {"));
    CHECK(has(wrong.message, "analytic"));
    CHECK(has(wrong.message, "numeric"));
    CHECK(wrong.max_error > 1e-3);
  }
  CHECK_FALSE(gradcheck([](const Tensor& t) { return relu(t).detach() * t; }, x).ok);
  CHECK_FALSE(gradcheck([](const Tensor& t) { return square(t).detach(); }, x).ok);
  CHECK_FALSE(gradcheck([](const Tensor& t) { return apply<Reversed>(t); }, randn({2}, f64)).ok);
  CHECK_FALSE(gradcheck([](const Tensor& t) { return apply<Reversed>(t); }, randn({2}, f64), {.fast = true}).ok);
  CHECK(gradcheck([](const Tensor& t) { return apply<OnceCube>(t); }, x).ok);
  const GradcheckResult second = gradcheck([](const Tensor& t) { return apply<OnceCube>(t); }, x, {.order = 2});
  CHECK_FALSE(second.ok);
  CHECK(has(second.message, "in the gradient of once_cube"));
  CHECK(has(second.message, "order 2"));
  CHECK_THROWS_AS(gradcheck([](const Tensor& t) { return t * 2.0; }, ones({2}, f32)), Error);
}

TEST_CASE("gradcheck does not pass what it could not check") {
  const Tensor x = full({2}, 3.0, f64);
  CHECK(has(gradcheck([](const Tensor& t) { return argmax(t, 0); }, x).message, "nothing to check"));
  CHECK(has(gradcheck([](const Tensor& t) { return t; }, ones({2}, i64)).message, "no f64 input"));
  CHECK_FALSE(gradcheck([](const Tensors&) { return ones({2}, f64); }, {}).ok);
  CHECK(gradcheck([](const Tensor& t) { return exp(t); }, ones({0}, f64)).ok);
  const GradcheckResult nan = gradcheck([](const Tensor& t) { return sqrt(t * 0.0 - 1.0); }, x);
  CHECK_FALSE(nan.ok);
  CHECK(std::isnan(nan.max_error));
  int calls = 0;
  const std::function<Tensors(const Tensors&)> fickle = [&](const Tensors& in) {
    return calls++ == 0 ? Tensors{in[0], in[0] * 2.0} : Tensors{in[0]};
  };
  CHECK_THROWS_AS(gradcheck(fickle, {x}), Error);
  calls = 0;
  CHECK_THROWS_AS(gradcheck([&](const Tensor& t) { return calls++ == 0 ? t : sum(t); }, x), Error);
}

TEST_CASE("the tape can be looked at") {
  Tensor x = parameter(ones({2, 3}, f64)), w = parameter(ones({3}, f64));
  w.set_name("own \"name\"");
  const Tensor h = tanh(x * w);
  const Tensor y = sum(h + x);
  const std::string dot = to_dot(y, {{"input", x}, {"hidden", h}});
  CHECK(has(dot, "digraph"));
  CHECK(has(dot, "input"));
  CHECK(has(dot, "hidden\\ntanh"));
  CHECK(has(dot, "own \\\"name\\\""));
  CHECK(has(dot, "{2, 3}"));
  const std::string text = print_tape(y);
  CHECK(has(text, "tanh"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK(tape_stats(y).nodes == 4);
  CHECK(tape_stats(y).bytes >= 3 * 64);
  CHECK(tape_stats(x.detach()).nodes == 0);
  CHECK(has(print_tape(x), "nothing"));
  Tensor deep = x;
  for (int i = 0; i < 100000; ++i) deep = deep + 1.0;
  CHECK(tape_stats(deep).nodes == 100000);
}

TEST_CASE("functions by name, generic lambdas, and lists of one") {
  const Tensor x = tensor({0.3, -0.7}, f64);
  const Tensor slope = 1.0 - square(tanh(x));
  CHECK(allclose(jacobian(tanh, x), eye(2, f64) * slope));
  CHECK(allclose(vjp(tanh, x, ones({2}, f64)), slope));
  CHECK(allclose(jvp([](const auto& t) { return tanh(t); }, x, ones({2}, f64)), slope));
  CHECK(allclose(hessian([](auto t) { return sum(t * t * t); }, x), eye(2, f64) * (6.0 * x)));
  CHECK(gradcheck(tanh, x).ok);
  CHECK(gradcheck([](auto t) { return tanh(t); }, x).ok);
  CHECK(gradcheck([](const auto& in) { return in[0] * in[1]; }, {x, slope}).ok);
  CHECK(gradcheck([](const Tensors& in) { return tanh(in[0]); }, {x}).ok);
  CHECK(allclose(checkpoint(tanh, x), tanh(x)));
  CHECK(allclose(checkpoint([](const auto& t) { return tanh(t); }, x), tanh(x)));
  const Tensors both = checkpoint([](const Tensors& in) { return Tensors{in[0], exp(in[1])}; }, {x, x});
  CHECK(allclose(both[1], exp(x)));
}

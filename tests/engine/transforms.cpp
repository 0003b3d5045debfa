// vjp, jvp, hvp, jacobian and hessian beside closed forms, and differentiated again: with respect to inputs and to
// what the function uses besides.
#include <doctest/doctest.h>
#include <tests/support/array.hpp>
#include <weft/engine/backward.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/functional.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

#include <array>

using namespace weft;
using weft::test::Array;
using weft::test::Index;

namespace {

// One element of the inputs a and b, of the captured w, of the directions d and e and of the cotangent v.
struct Point {
  double a, b, w, d, e, v;
};
constexpr std::array<Point, 3> points{
    {{0.5, 3, 2, 1, -2, 0.5}, {-1.25, 0.75, -3, -0.5, 3, 7}, {2, -0.5, 0.25, 4, 0.125, -1.5}}};

Tensor leaf(double Point::*member) {
  return parameter(tensor({points[0].*member, points[1].*member, points[2].*member}, {3}, f64));
}

struct Problem {
  Tensor a = leaf(&Point::a), b = leaf(&Point::b), w = leaf(&Point::w), d = leaf(&Point::d), e = leaf(&Point::e),
         v = leaf(&Point::v);
  // w a^2 b, element by element, and the sum of w a^3 b^2.
  FunctionOfSeveral f = [w = w](const Tensors& in) { return w * square(in[0]) * in[1]; };
  FunctionOfSeveral s = [w = w](const Tensors& in) { return sum(w * in[0] * square(in[0] * in[1])); };
};

constexpr TransformOptions recorded{.create_graph = true};

using Formula = double (*)(const Point&);

// Where a tensor of shape {3}, or {3, 3} with nothing off its diagonal, differs from the formula; empty if nowhere.
std::string differs(const Tensor& got, Formula formula) {
  const Shape shape = got.rank() == 2 ? Shape{3, 3} : Shape{3};
  const Array expected = test::indexed(shape, [&](const Index& i) {
    return i.size() == 2 && i[0] != i[1] ? 0.0 : formula(points[static_cast<std::size_t>(i[0])]);
  });
  return test::difference(test::array_of(got), expected, 1e-13);
}

// The gradients of the sum of what a transform gave, each beside its formula.
struct Partial {
  Tensor along;
  Formula formula;
};
void check_gradients(const Tensor& derivative, const std::vector<Partial>& partials) {
  REQUIRE(derivative.requires_grad());
  Tensors inputs;
  for (const Partial& partial : partials) inputs.push_back(partial.along);
  const Tensors gradients = grad(sum(derivative), inputs, {.retain_graph = true});
  for (std::size_t i = 0; i < partials.size(); ++i) {
    INFO("partial derivative ", i);
    CHECK(differs(gradients[i], partials[i].formula) == "");
  }
}

}  // namespace

TEST_CASE("transforms of two inputs have their closed forms, recorded or not") {
  const Problem p;
  for (const TransformOptions options : {TransformOptions{}, recorded}) {
    const Tensors vectors = vjp(p.f, {p.a, p.b}, p.v, options);
    CHECK(differs(vectors[0], [](const Point& x) { return 2 * x.v * x.w * x.a * x.b; }) == "");
    CHECK(differs(vectors[1], [](const Point& x) { return x.v * x.w * x.a * x.a; }) == "");
    const Tensor along = jvp(p.f, {p.a, p.b}, {p.d, p.e}, options);
    CHECK(differs(along, [](const Point& x) { return x.w * x.a * (2 * x.b * x.d + x.a * x.e); }) == "");
    const Tensors j = jacobian(p.f, {p.a, p.b}, options);
    CHECK(differs(j[0], [](const Point& x) { return 2 * x.w * x.a * x.b; }) == "");
    CHECK(differs(j[1], [](const Point& x) { return x.w * x.a * x.a; }) == "");
    const std::vector<Tensors> h = hessian(p.s, {p.a, p.b}, options);
    CHECK(differs(h[0][0], [](const Point& x) { return 6 * x.w * x.a * x.b * x.b; }) == "");
    CHECK(differs(h[0][1], [](const Point& x) { return 6 * x.w * x.a * x.a * x.b; }) == "");
    CHECK(differs(h[1][0], [](const Point& x) { return 6 * x.w * x.a * x.a * x.b; }) == "");
    CHECK(differs(h[1][1], [](const Point& x) { return 2 * x.w * x.a * x.a * x.a; }) == "");
    const Tensors products = hvp(p.s, {p.a, p.b}, {p.d, p.e}, options);
    CHECK(differs(products[0], [](const Point& x) { return 6 * x.w * x.a * x.b * (x.b * x.d + x.a * x.e); }) == "");
    CHECK(differs(products[1], [](const Point& x) { return 2 * x.w * x.a * x.a * (3 * x.b * x.d + x.a * x.e); }) == "");
    for (const Tensor& t : {vectors[0], vectors[1], along, j[0], j[1], h[0][1], h[1][1], products[0], products[1]})
      CHECK(t.requires_grad() == options.create_graph);
  }
  for (const Tensor& t : {p.a, p.b, p.w, p.d, p.e, p.v}) CHECK_FALSE(t.grad().defined());
}

TEST_CASE("a recorded vjp is a function of inputs, cotangent and captured tensors") {
  const Problem p;
  const Tensors g = vjp(p.f, {p.a, p.b}, p.v, recorded);
  check_gradients(g[0], {{p.a, [](const Point& x) { return 2 * x.v * x.w * x.b; }},
                         {p.b, [](const Point& x) { return 2 * x.v * x.w * x.a; }},
                         {p.w, [](const Point& x) { return 2 * x.v * x.a * x.b; }},
                         {p.v, [](const Point& x) { return 2 * x.w * x.a * x.b; }}});
  check_gradients(g[1], {{p.a, [](const Point& x) { return 2 * x.v * x.w * x.a; }},
                         {p.w, [](const Point& x) { return x.v * x.a * x.a; }},
                         {p.v, [](const Point& x) { return x.w * x.a * x.a; }}});
}

TEST_CASE("a recorded jvp is a function of inputs, directions and captured tensors") {
  const Problem p;
  const Tensor t = jvp(p.f, {p.a, p.b}, {p.d, p.e}, recorded);
  check_gradients(t, {{p.a, [](const Point& x) { return 2 * x.w * (x.b * x.d + x.a * x.e); }},
                      {p.b, [](const Point& x) { return 2 * x.w * x.a * x.d; }},
                      {p.w, [](const Point& x) { return 2 * x.a * x.b * x.d + x.a * x.a * x.e; }},
                      {p.d, [](const Point& x) { return 2 * x.w * x.a * x.b; }},
                      {p.e, [](const Point& x) { return x.w * x.a * x.a; }}});
  // And once more.
  const Tensor first = grad(sum(t), {p.a}, {.create_graph = true})[0];
  check_gradients(first, {{p.a, [](const Point& x) { return 2 * x.w * x.e; }},
                          {p.d, [](const Point& x) { return 2 * x.w * x.b; }}});
}

TEST_CASE("a recorded Jacobian is a function of inputs and captured tensors") {
  const Problem p;
  const Tensors j = jacobian(p.f, {p.a, p.b}, recorded);
  check_gradients(j[0], {{p.a, [](const Point& x) { return 2 * x.w * x.b; }},
                         {p.b, [](const Point& x) { return 2 * x.w * x.a; }},
                         {p.w, [](const Point& x) { return 2 * x.a * x.b; }}});
  check_gradients(
      j[1], {{p.a, [](const Point& x) { return 2 * x.w * x.a; }}, {p.w, [](const Point& x) { return x.a * x.a; }}});
  // The squares of its elements, to second order: there the rows are taken apart and put together again.
  const Tensor first = grad(sum(square(j[0])), {p.a}, {.create_graph = true})[0];
  CHECK(differs(first, [](const Point& x) { return 8 * x.w * x.w * x.a * x.b * x.b; }) == "");
  check_gradients(first, {{p.a, [](const Point& x) { return 8 * x.w * x.w * x.b * x.b; }},
                          {p.b, [](const Point& x) { return 16 * x.w * x.w * x.a * x.b; }},
                          {p.w, [](const Point& x) { return 16 * x.w * x.a * x.b * x.b; }}});
  // To third order what was put together is taken apart again.
  const Tensor second = grad(sum(first), {p.a}, {.create_graph = true})[0];
  check_gradients(second, {{p.b, [](const Point& x) { return 16 * x.w * x.w * x.b; }},
                           {p.w, [](const Point& x) { return 16 * x.w * x.b * x.b; }}});
}

TEST_CASE("a recorded Hessian, and its product with a direction, are functions of all that goes in") {
  const Problem p;
  const std::vector<Tensors> h = hessian(p.s, {p.a, p.b}, recorded);
  check_gradients(h[0][0], {{p.a, [](const Point& x) { return 6 * x.w * x.b * x.b; }},
                            {p.b, [](const Point& x) { return 12 * x.w * x.a * x.b; }},
                            {p.w, [](const Point& x) { return 6 * x.a * x.b * x.b; }}});
  check_gradients(h[0][1], {{p.a, [](const Point& x) { return 12 * x.w * x.a * x.b; }},
                            {p.b, [](const Point& x) { return 6 * x.w * x.a * x.a; }},
                            {p.w, [](const Point& x) { return 6 * x.a * x.a * x.b; }}});
  check_gradients(h[1][1], {{p.a, [](const Point& x) { return 6 * x.w * x.a * x.a; }},
                            {p.w, [](const Point& x) { return 2 * x.a * x.a * x.a; }}});
  const Tensors product = hvp(p.s, {p.a, p.b}, {p.d, p.e}, recorded);
  check_gradients(product[0], {{p.a, [](const Point& x) { return 6 * x.w * x.b * (x.b * x.d + 2 * x.a * x.e); }},
                               {p.b, [](const Point& x) { return 6 * x.w * x.a * (2 * x.b * x.d + x.a * x.e); }},
                               {p.w, [](const Point& x) { return 6 * x.a * x.b * (x.b * x.d + x.a * x.e); }},
                               {p.d, [](const Point& x) { return 6 * x.w * x.a * x.b * x.b; }},
                               {p.e, [](const Point& x) { return 6 * x.w * x.a * x.a * x.b; }}});
  check_gradients(product[1], {{p.a, [](const Point& x) { return 6 * x.w * x.a * (2 * x.b * x.d + x.a * x.e); }},
                               {p.b, [](const Point& x) { return 6 * x.w * x.a * x.a * x.d; }},
                               {p.w, [](const Point& x) { return 2 * x.a * x.a * (3 * x.b * x.d + x.a * x.e); }},
                               {p.e, [](const Point& x) { return 2 * x.w * x.a * x.a * x.a; }}});
}

TEST_CASE("inputs that do not matter have derivatives of zero, in their own shape") {
  const Problem p;
  const Tensor beside = parameter(ones({2, 2}, f64)), d = ones({2, 2}, f64);
  const auto is_zero = [](const Tensor& t, const Shape& shape) {
    return test::difference(test::array_of(t), test::zeros_of(shape), 0).empty();
  };
  for (const TransformOptions options : {TransformOptions{}, recorded}) {
    const Tensors xs{beside, p.a, p.b};
    const FunctionOfSeveral f = [&](const Tensors& in) { return p.f({in[1], in[2]}); };
    const FunctionOfSeveral s = [&](const Tensors& in) { return p.s({in[1], in[2]}); };
    CHECK(is_zero(vjp(f, xs, p.v, options)[0], {2, 2}));
    CHECK(differs(vjp(f, xs, p.v, options)[2], [](const Point& x) { return x.v * x.w * x.a * x.a; }) == "");
    CHECK(is_zero(jvp(f, xs, {d, zeros({3}, f64), zeros({3}, f64)}, options), {3}));
    CHECK(differs(jvp(f, xs, {d, p.d, p.e}, options),
                  [](const Point& x) { return x.w * x.a * (2 * x.b * x.d + x.a * x.e); }) == "");
    CHECK(is_zero(jacobian(f, xs, options)[0], {3, 2, 2}));
    const std::vector<Tensors> h = hessian(s, xs, options);
    CHECK(is_zero(h[0][0], {2, 2, 2, 2}));
    CHECK(is_zero(h[0][1], {2, 2, 3}));
    CHECK(is_zero(h[2][0], {3, 2, 2}));
    CHECK(differs(h[1][2], [](const Point& x) { return 6 * x.w * x.a * x.a * x.b; }) == "");
    CHECK(is_zero(hvp(s, xs, {d, p.d, p.e}, options)[0], {2, 2}));
  }
}

TEST_CASE_TEMPLATE("a Jacobian's axes are the result's, then the input's", T, float, double) {
  // y_ij = x_i x_j^2; its derivative along x_k is [i = k] x_j^2 + [j = k] 2 x_i x_j.
  const Tensor x = parameter(tensor({2, 3, -1}, {3}, dtype_of<T>));
  const Function f = [](const Tensor& t) { return reshape(t, {3, 1}) * square(t); };
  const Array xs = test::array_of(x);
  const Array expected = test::indexed({3, 3, 3}, [&](const Index& i) {
    const double xi = xs(i[0]), xj = xs(i[1]);
    return (i[0] == i[2] ? xj * xj : 0) + (i[1] == i[2] ? 2 * xi * xj : 0);
  });
  const Tensor j = jacobian(f, x, recorded);
  CHECK(j.dtype() == dtype_of<T>);
  CHECK(test::difference(test::array_of(j), expected, 0) == "");
  // Weighted by position, so that a wrong order of rows shows.
  const Tensor weights = reshape(arange(27, dtype_of<T>), {3, 3, 3});
  const Tensor g = grad(sum(j * weights), {x})[0];
  const Array expected_gradient = test::indexed({3}, [&](const Index& at) {
    double total = 0;
    test::for_each_index({3, 3, 3}, [&](const Index& i) {
      const double xi = xs(i[0]), xj = xs(i[1]), weight = static_cast<double>(i[0] * 9 + i[1] * 3 + i[2]);
      if (i[0] == i[2] && i[1] == at[0]) total += weight * 2 * xj;
      if (i[1] == i[2]) total += weight * 2 * ((i[0] == at[0] ? xj : 0) + (i[1] == at[0] ? xi : 0));
    });
    return total;
  });
  CHECK(test::difference(test::array_of(g), expected_gradient, 0) == "");
}

TEST_CASE("transforms record by themselves where recording is off, and refuse what does not fit") {
  const Problem p;
  {
    const NoGrad off;
    CHECK(differs(jacobian(p.f, {p.a, p.b})[1], [](const Point& x) { return x.w * x.a * x.a; }) == "");
    CHECK_FALSE(grad_enabled());
  }
  CHECK_THROWS_WITH_AS(jvp(p.f, {p.a, p.b}, {p.d}), doctest::Contains("got 1 directions for 2 inputs"), Error);
  CHECK_THROWS_WITH_AS(hvp(p.s, {p.a, p.b}, {p.d, p.e.to(f32)}), doctest::Contains("direction of f32"), Error);
  CHECK_THROWS_WITH_AS(vjp(p.f, {p.a, p.b}, ones({3})), doctest::Contains("cotangent of f32"), Error);
  CHECK_THROWS_AS(hvp(p.f, {p.a, p.b}, {p.d, p.e}), Error);
  CHECK_THROWS_AS(jacobian(p.f, {p.a, ones({3}, i64)}), Error);
}

// Derivatives with respect to a module's parameters, which the function takes from the module and not from its
// arguments: transforms, gradcheck and checkpoint mean the same.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace weft;

namespace {

struct Mlp : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", 2, 3};
  nn::Child<nn::Linear> output{this, "output", 3, 2};
  Tensor forward(const Tensor& x) override { return output(tanh(hidden(x))); }
};

struct Problem {
  Mlp net;
  Tensor x, y;
  Tensors parameters, directions;
  FunctionOfSeveral outputs = [this](const Tensors&) { return net(x); };
  FunctionOfSeveral loss = [this](const Tensors&) { return nn::mse(net(x), y); };

  Problem() {
    manual_seed(7);
    net.to(f64);
    for (Tensor& p : net.parameters()) {
      const NoGrad off;
      p.copy_(randn(p.shape(), f64));
    }
    x = randn({4, 2}, f64);
    y = randn({4, 2}, f64);
    parameters = net.parameters();
    for (const Tensor& p : parameters) directions.push_back(randn_like(p));
  }
};

// The elements of tensors, one after another.
std::vector<double> values_of(const Tensors& tensors) {
  std::vector<double> values;
  for (const Tensor& t : tensors)
    for (const double v : t.data<double>()) values.push_back(v);
  return values;
}

double largest_gap(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double scale = 0, gap = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    scale = std::max(scale, std::abs(b[i]));
    if (!(std::abs(a[i] - b[i]) <= gap)) gap = std::abs(a[i] - b[i]);
  }
  REQUIRE(scale > 0);
  return gap / scale;
}

// Central differences of f, element by element of the parameters: the columns, one after another.
template <class F>
std::vector<std::vector<double>> differences(const Tensors& parameters, F f) {
  constexpr double step = 1e-5;
  std::vector<std::vector<double>> columns;
  for (Tensor p : parameters) {
    for (std::int64_t e = 0; e < p.size(); ++e) {
      const auto at = [&](double offset) {
        const NoGrad off;
        const auto k = static_cast<std::size_t>(e);
        const double before = p.data<double>()[k];
        p.mutable_data<double>()[k] = before + offset;
        const EnableGrad on;
        std::vector<double> values = f();
        const NoGrad again;
        p.mutable_data<double>()[k] = before;
        return values;
      };
      std::vector<double> column = at(step);
      const std::vector<double> below = at(-step);
      for (std::size_t i = 0; i < column.size(); ++i) column[i] = (column[i] - below[i]) / (2 * step);
      columns.push_back(std::move(column));
    }
  }
  return columns;
}

// One number out of each column: its product with weights.
std::vector<double> products(const std::vector<std::vector<double>>& columns, const std::vector<double>& weights) {
  std::vector<double> result;
  for (const auto& column : columns) {
    double sum = 0;
    for (std::size_t i = 0; i < column.size(); ++i) sum += column[i] * weights[i];
    result.push_back(sum);
  }
  return result;
}

constexpr TransformOptions recorded{.create_graph = true};

}  // namespace

TEST_CASE("vjp, jvp and jacobian with respect to a net's parameters are central differences") {
  Problem p;
  const auto columns = differences(p.parameters, [&] { return values_of({p.net(p.x)}); });
  const Tensor v = randn({4, 2}, f64);
  const std::vector<double> d = values_of(p.directions);
  std::vector<double> along(8, 0.0), flat;
  for (std::size_t k = 0; k < columns.size(); ++k)
    for (std::size_t i = 0; i < along.size(); ++i) along[i] += columns[k][i] * d[k];
  for (const TransformOptions options : {TransformOptions{}, recorded}) {
    CHECK(largest_gap(values_of(vjp(p.outputs, p.parameters, v, options)), products(columns, values_of({v}))) < 1e-8);
    CHECK(largest_gap(values_of({jvp(p.outputs, p.parameters, p.directions, options)}), along) < 1e-8);
    const Tensors j = jacobian(p.outputs, p.parameters, options);
    std::size_t first = 0;
    for (std::size_t i = 0; i < j.size(); ++i) {
      const auto count = static_cast<std::size_t>(p.parameters[i].size());
      const std::vector<double> rows = values_of({j[i]});
      for (std::size_t row = 0; row < 8; ++row)
        for (std::size_t e = 0; e < count; ++e) CHECK(std::abs(rows[row * count + e] - columns[first + e][row]) < 1e-8);
      first += count;
    }
  }
  for (const Tensor& parameter : p.parameters) {
    CHECK_FALSE(parameter.grad().defined());
    CHECK(parameter.requires_grad());
  }
}

TEST_CASE("hessian and hvp with respect to a net's parameters are central differences of the gradient") {
  Problem p;
  const auto columns = differences(p.parameters, [&] { return values_of(grad(p.loss({}), p.parameters)); });
  const std::vector<double> expected = products(columns, values_of(p.directions));
  for (const TransformOptions options : {TransformOptions{}, recorded}) {
    CHECK(largest_gap(values_of(hvp(p.loss, p.parameters, p.directions, options)), expected) < 1e-7);
    const std::vector<Tensors> h = hessian(p.loss, p.parameters, options);
    std::size_t row = 0;
    for (const Tensors& blocks : h) {
      const std::int64_t rows = blocks[0].size() / p.parameters[0].size();
      for (std::int64_t r = 0; r < rows; ++r, ++row) {
        std::vector<double> got;
        for (std::size_t k = 0; k < blocks.size(); ++k) {
          const auto count = static_cast<std::size_t>(p.parameters[k].size());
          const auto block = blocks[k].data<double>();
          for (std::size_t e = 0; e < count; ++e) got.push_back(block[static_cast<std::size_t>(r) * count + e]);
        }
        for (std::size_t e = 0; e < got.size(); ++e) CHECK(std::abs(got[e] - columns[row][e]) < 1e-7);
      }
    }
    CHECK(row == columns.size());
  }
  for (const Tensor& parameter : p.parameters) CHECK_FALSE(parameter.grad().defined());
}

TEST_CASE("a recorded derivative with respect to parameters is a function of them") {
  Problem p;
  const auto columns = differences(p.parameters, [&] { return values_of(hvp(p.loss, p.parameters, p.directions)); });
  Tensors weights;
  Tensor total = zeros({}, f64);
  const Tensors product = hvp(p.loss, p.parameters, p.directions, recorded);
  for (const Tensor& t : product) {
    weights.push_back(randn_like(t));
    total += sum(t * weights.back());
  }
  CHECK(largest_gap(values_of(grad(total, p.parameters)), products(columns, values_of(weights))) < 1e-7);
}

TEST_CASE("transforms leave the gradients of parameters as they are") {
  Problem p;
  p.loss({}).backward();
  Tensors before;
  for (const Tensor& parameter : p.parameters) before.push_back(parameter.grad().clone());
  hvp(p.loss, p.parameters, p.directions);
  hessian(p.loss, p.parameters);
  jvp(p.outputs, p.parameters, p.directions, recorded);
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(allclose(p.parameters[i].grad(), before[i], 0, 0));
}

TEST_CASE("an input that the function uses as argument and from the module counts for both") {
  const Tensor w = parameter(tensor({2, 3}, {2}, f64));
  const FunctionOfSeveral f = [&](const Tensors& in) { return sum(w * square(in[0])); };  // the sum of w^3
  for (const TransformOptions options : {TransformOptions{}, recorded}) {
    CHECK(allclose(vjp(f, {w}, ones({}, f64), options)[0], tensor({12, 27}, {2}, f64), 1e-14, 0));
    CHECK(allclose(hvp(f, {w}, {ones({2}, f64)}, options)[0], tensor({12, 18}, {2}, f64), 1e-14, 0));
  }
  const Tensor g = grad(checkpoint(std::function<Tensor(const Tensors&)>(f), {w}), {w})[0];
  CHECK(allclose(g, tensor({12, 27}, {2}, f64), 1e-14, 0));
  CHECK(gradcheck(f, {w}, {.order = 2}));
}

TEST_CASE("gradcheck and checkpoint take the same call as the transforms do") {
  Problem p;
  CHECK(gradcheck(p.loss, p.parameters, {.order = 2}));
  const Tensors plain = grad(p.loss({}), p.parameters);
  const Tensors again = grad(checkpoint(p.loss, p.parameters), p.parameters);
  CHECK(largest_gap(values_of(again), values_of(plain)) < 1e-14);
}

// Fully connected nets with shortcuts, held against their formulas.
#include <doctest/doctest.h>
#include <tests/support/nets.hpp>

using namespace weft;

namespace {

using Names = std::vector<std::string>;

// The parameters by name, doubles.
struct Parameters {
  nn::NamedTensors all;
  explicit Parameters(nn::Module& net) {
    net.to(f64);
    all = net.named_parameters();
  }
  const Tensor& operator[](const std::string& wanted) const {
    for (const auto& [name, p] : all)
      if (name == wanted) return p;
    throw Error("no " + wanted);
  }
  Names names() const {
    Names result;
    for (const auto& [name, p] : all) result.push_back(name);
    return result;
  }
  Tensor layer(const std::string& name, const Tensor& x) const {
    return matmul(x, (*this)[name + ".weight"]) + (*this)[name + ".bias"];
  }
};

}  // namespace

TEST_CASE("skip_mlp is a linear model and what the hidden layers add") {
  manual_seed(5);
  const nn::ModulePtr net = nn::skip_mlp(3, {16}, 2), deep = nn::skip_mlp(4, {5, 6}, 2, {.activation = relu});
  const Parameters p(*net), q(*deep);
  CHECK(p.names() == Names{"hidden.0.weight", "hidden.0.bias", "output.weight", "output.bias", "skip.weight"});
  CHECK(parameter_count(*net) == 104);  // (3 + 1) 16 + (16 + 1) 2 + 3 * 2
  CHECK(parameter_count(*deep) == 5 * 5 + 6 * 6 + 7 * 2 + 4 * 2);

  const Tensor x = randn({7, 3}, f64), z = randn({2, 3, 4}, f64);
  const Tensor by_hand = p.layer("output", tanh(p.layer("hidden.0", x))) + matmul(x, p["skip.weight"]);
  CHECK(allclose((*net)(x), by_hand, 1e-12, 1e-12));
  const Tensor hidden = relu(q.layer("hidden.2", relu(q.layer("hidden.0", z))));
  CHECK(allclose((*deep)(z), q.layer("output", hidden) + matmul(z, q["skip.weight"]), 1e-12, 1e-12));

  {  // without what the hidden layers add it is linear
    const NoGrad off;
    Tensor(p["output.weight"]).zero_();
  }
  CHECK(allclose((*net)(3 * x) - (*net)(x), 2 * matmul(x, p["skip.weight"]), 1e-12, 1e-12));
}

TEST_CASE("highway_mlp carries what its gates let past") {
  manual_seed(6);
  const nn::ModulePtr net = nn::highway_mlp(784, 50, 9, 10);
  CHECK(parameter_count(*net) ==
        785 * 50 + 9 * 5100 + 51 * 10);  // about 5,000 parameters a layer in the paper, section 3

  const nn::ModulePtr two = nn::highway_mlp(3, 4, 2, 5, {.activation = tanh, .gate_bias = -1});
  const Parameters p(*two);
  const Tensor x = randn({6, 3}, f64);
  Tensor h = p.layer("input", x);
  for (const std::string block : {"highway.0", "highway.1"}) {
    CHECK(allclose(p[block + ".gate.bias"], full({4}, -1, f64), 0, 0));
    const Tensor t = sigmoid(p.layer(block + ".gate", h));
    h = t * tanh(p.layer(block + ".body.0", h)) + (1.0 - t) * h;
  }
  CHECK(allclose((*two)(x), p.layer("output", h), 1e-12, 1e-12));

  // A closed gate carries everything past: what is left is linear.
  const nn::ModulePtr closed = nn::highway_mlp(3, 4, 20, 2, {.gate_bias = -1000});
  const Parameters q(*closed);
  CHECK(allclose((*closed)(x), q.layer("output", q.layer("input", x)), 1e-12, 1e-12));
}

TEST_CASE("gradients reach every parameter, and are right") {
  manual_seed(7);
  for (const nn::ModulePtr& net : {nn::skip_mlp(3, {4, 4}, 2), nn::highway_mlp(3, 4, 3, 2, {.activation = tanh})}) {
    const Parameters p(*net);
    Tensors inputs{parameter(randn({5, 3}, f64))};
    for (const Tensor& t : net->parameters()) inputs.push_back(t);
    const auto result = gradcheck([&](const Tensors& in) { return (*net)(in[0]); }, inputs);
    CHECK_MESSAGE(result.ok, result.message);
    CHECK(nn::unregistered_leaves(*net, (*net)(ones({5, 3}, f64))).empty());
  }
}

TEST_CASE("sizes that make no net are refused") {
  CHECK_THROWS_WITH_AS(nn::skip_mlp(3, {}, 2), "skip_mlp: got no hidden layer, needs the width of at least one", Error);
  CHECK_THROWS_WITH_AS(nn::skip_mlp(3, {4, 0}, 2), "skip_mlp: got the size 0, needs a positive one", Error);
  CHECK_THROWS_WITH_AS(nn::skip_mlp(-3, {4}, 2), "skip_mlp: got the size -3, needs a positive one", Error);
  CHECK_THROWS_WITH_AS(nn::highway_mlp(3, 4, 0, 2), "highway_mlp: got the size 0, needs a positive one", Error);
  CHECK_THROWS_WITH_AS(nn::skip_mlp(3, {4}, 2)->operator()(ones({2, 4})),
                       doctest::Contains("got {2, 4}, needs {..., 3}"), Error);
}

// Shortcuts: against the algebra that they stand for and PyTorch's figures (tests/figures/shortcuts.py makes them), and
// their gradients through two blocks.
#include <weft/weft.hpp>

#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/module_figures.hpp>

#include <cmath>

using namespace weft;

namespace {

double gap(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max(abs(a - b)).item();
}

nn::ModulePtr smooth(std::int64_t features) {
  return nn::make<nn::Sequential>(nn::Linear(features, features), nn::Tanh());
}

// Values and gradients of x and of all parameters, to second order.
void check_gradients(nn::Module& net, std::int64_t features) {
  net.to(f64);
  for (Tensor& p : net.parameters()) {
    const NoGrad off;
    p.copy_(0.7 * randn(p.shape(), f64));
  }
  Tensors inputs = net.parameters();
  inputs.push_back(parameter(randn({3, features}, f64)));
  const auto result = gradcheck([&](const Tensors& in) { return net(in.back()); }, inputs, {.order = 2});
  CHECK_MESSAGE(result.ok, result.message);
}

}  // namespace

TEST_CASE("a residual block's body may be scaled") {
  manual_seed(1);
  const Tensor x = randn({4, 3});
  const auto body = nn::make<nn::Linear>(3, 3), beside = nn::make<nn::Linear>(3, 3);
  CHECK(gap(nn::Residual(body, {.scale = 0.25})(x), x + (*body)(x)*0.25) < 1e-6);
  CHECK(gap(nn::Residual(body, beside, {.scale = -2})(x), (*beside)(x) - (*body)(x)*2.0) < 1e-6);
  CHECK(message_of([&] { nn::Residual(body, {.scale = NAN}); }) == "Residual: got scale nan, needs a finite number");
}

TEST_CASE("stochastic depth leaves the body out or runs it, and scales it in evaluation") {
  manual_seed(2);
  const Tensor x = randn({4, 3});
  const auto body = nn::make<nn::Linear>(3, 3);
  nn::Residual block(body, {.keep = 0.7});
  const Tensor with = x + (*body)(x);
  int ran = 0, hooked = 0;
  block.register_forward_hook("body", [&](nn::Module&, const Tensor&, const Tensor&) { ++hooked; });
  constexpr int runs = 2000;
  for (int i = 0; i < runs; ++i) {
    const Tensor y = block(x);
    const bool all = gap(y, with) == 0;
    REQUIRE((all || gap(y, x) == 0));
    ran += all ? 1 : 0;
  }
  CHECK(hooked == ran);
  CHECK(std::abs(ran - 0.7 * runs) < 5 * std::sqrt(0.7 * 0.3 * runs));

  block.eval();
  CHECK(gap(block(x), x + (*body)(x)*0.7) < 1e-6);
  nn::StochasticDepth named(body, 0.7);
  named.eval();
  CHECK(gap(named(x), block(x)) == 0);

  // Of a body that was left out the parameters have no gradient.
  nn::Residual seldom(body, {.keep = 1e-9});
  const Tensor leaf = parameter(x.clone());
  sum(seldom(leaf)).backward();
  CHECK(gap(leaf.grad(), ones({4, 3})) == 0);
  CHECK(!body->parameters()[0].grad().defined());

  // What is always there draws nothing.
  manual_seed(3);
  const Tensor first = rand({3});
  manual_seed(3);
  nn::Residual{body}(x);
  CHECK(gap(rand({3}), first) == 0);

  for (const double keep : {0.0, -0.5, 1.5, std::nan("")})
    CHECK(message_of([&] { nn::Residual(body, {.keep = keep}); }).rfind("Residual: got keep ", 0) == 0);
}

TEST_CASE("a highway's gate decides between its body and what goes past") {
  manual_seed(4);
  const Tensor x = randn({2, 5, 3});
  const auto body = nn::make<nn::Linear>(3, 3);
  nn::Highway block(body, 3);
  CHECK(gap(block.gate->bias, full({3}, -2)) == 0);
  const Tensor gate = sigmoid(matmul(x, block.gate->weight) + block.gate->bias);
  CHECK(gap(block(x), gate * (*body)(x) + (1.0 - gate) * x) < 1e-6);
  CHECK(gap(nn::Highway(body, 3, -100)(x), x) < 1e-6);
  CHECK(gap(nn::Highway(body, 3, 100)(x), (*body)(x)) < 1e-6);
  CHECK(message_of([&] { nn::Highway(nn::make<nn::Linear>(3, 1), 3)(x); }) ==
        "Highway: the body makes {2, 5, 1} of {2, 5, 3}, needs to keep the shape");
}

TEST_CASE("a block of ReZero is the identity at first") {
  manual_seed(5);
  const Tensor x = randn({4, 3});
  const auto body = nn::make<nn::Linear>(3, 3);
  nn::ReZero block(body);
  CHECK(gap(block(x), x) == 0);
  sum(block(x)).backward();
  CHECK(block.scale.grad().item() == doctest::Approx(sum((*body)(x)).item()));
  CHECK(max(abs(body->parameters()[0].grad())).item() == 0);
  {
    const NoGrad off;
    block.scale.fill_(0.5);
  }
  CHECK(gap(block(x), x + (*body)(x)*0.5) < 1e-6);
  CHECK(message_of([&] { nn::ReZero(nn::make<nn::Linear>(3, 4))(x); }) ==
        "ReZero: the body makes {4, 4} of {4, 3}, needs to keep the shape");
}

TEST_CASE("every layer sees all that came before it") {
  manual_seed(6);
  const Tensor x = randn({4, 3});
  const auto a = nn::make<nn::Linear>(3, 3), b = nn::make<nn::Linear>(3, 3), c = nn::make<nn::Linear>(3, 3);
  nn::SkipAll net({a, b, c});
  CHECK(gap(net.weights(), tensor({1.0F, 1.0F, 1.0F, 0.5F, 0.5F, 1.0F})) == 0);
  const Tensor first = (*a)(x) + x;
  const Tensor second = (*b)(first) + x + first;
  CHECK(gap(net(x), (*c)(second) + 0.5 * x + 0.5 * first + second) < 1e-5);
  {
    const NoGrad off;
    net.weights().copy_(tensor({2.0F, 0.0F, 3.0F, -1.0F, 0.0F, 0.25F}));
  }
  const Tensor one = (*a)(x) + 2.0 * x;
  const Tensor two = (*b)(one) + 3.0 * one;
  CHECK(gap(net(x), (*c)(two)-x + 0.25 * two) < 1e-5);

  const auto parameters = net.named_parameters();
  CHECK(parameters.size() == 7);
  CHECK(net.named_buffers().empty());
  nn::SkipAll fixed({a, b, c}, {.adaptive = false});
  CHECK(fixed.named_parameters().size() == 6);
  CHECK(fixed.named_buffers().size() == 1);
  CHECK(!fixed.weights().requires_grad());

  const auto copy = nn::clone(net);
  CHECK(gap((*copy)(x), net(x)) == 0);
  {
    const NoGrad off;
    net.weights().fill_(0);
  }
  CHECK(gap((*copy)(x), net(x)) > 0.1);

  CHECK(gap(nn::SkipAll({})(x), x) == 0);
  CHECK(message_of([&] { nn::SkipAll({nn::make<nn::Linear>(3, 2)})(x); }) ==
        "SkipAll: the body makes {4, 2} of {4, 3}, needs to keep the shape");
}

TEST_CASE("gradients through two blocks, to second order") {
  manual_seed(7);
  nn::Sequential scaled(nn::Residual(smooth(2), {.scale = 0.5}), nn::Residual(smooth(2), nn::make<nn::Linear>(2, 2)));
  check_gradients(scaled, 2);
  nn::Sequential highways(nn::Highway(smooth(2), 2), nn::Highway(smooth(2), 2));
  check_gradients(highways, 2);
  nn::Sequential rezero(nn::make<nn::ReZero>(smooth(2)), nn::make<nn::ReZero>(smooth(2)));
  check_gradients(rezero, 2);
  nn::SkipAll skips({smooth(2), smooth(2)});
  check_gradients(skips, 2);
  nn::Sequential concats(nn::Concat(smooth(2)), nn::Concat(smooth(4)));
  check_gradients(concats, 2);
}

TEST_CASE("shortcuts agree with plain code in PyTorch, in values and gradients") {
  const auto body = [](std::int64_t in, std::int64_t out) {
    return nn::make<nn::Sequential>(nn::Linear(in, out), nn::Tanh());
  };
  const auto half = [](std::int64_t in, std::int64_t out) {
    return nn::make<nn::Sequential>(nn::Projection(in, out, {.stride = 2}), nn::Tanh());
  };
  const std::map<std::string, nn::ModulePtr> nets = {
      {"residual", nn::make<nn::Residual>(body(5, 5), {.scale = 0.3})},
      {"residual, projection", nn::make<nn::Residual>(body(5, 3), nn::make<nn::Projection>(5, 3))},
      {"residual, projection of images",
       nn::make<nn::Residual>(half(3, 4), nn::make<nn::Projection>(3, 4, {.stride = 2, .norm = true}))},
      {"residual, zero pad", nn::make<nn::Residual>(half(3, 5), nn::make<nn::ZeroPad>(3, 5, 2))},
      {"concat", nn::make<nn::Concat>(body(5, 2))},
      {"highway", nn::make<nn::Highway>(body(5, 5), 5)},
      {"rezero", nn::make<nn::ReZero>(body(5, 5))},
      {"skip all", nn::make<nn::SkipAll>(std::vector<nn::ModulePtr>{body(5, 5), body(5, 5), body(5, 5)})},
  };
  const nlohmann::json figures = test::figures_in("shortcuts.json");
  REQUIRE(figures.size() == nets.size());
  for (const auto& entry : nets) {
    const auto& title = entry.first;
    CAPTURE(title);
    nn::Module& net = *entry.second;
    test::check_case(figures.at(title), net, [&](const test::Named& in) {
      return test::Named{{"output", net(in.at("x"))}};
    });
  }
}

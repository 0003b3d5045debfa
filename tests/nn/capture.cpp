// Hooks by pattern, forward and backward, and what Capture keeps of a net's layers.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using test::values_of;

namespace {

std::vector<std::string> names_of(const std::vector<nn::Response>& responses) {
  std::vector<std::string> names;
  for (const nn::Response& r : responses) names.push_back(r.name);
  return names;
}

// h = tanh(a), y = b + h
struct Net : nn::Module {
  nn::Child<nn::Linear> a{this, "a", 3, 4};
  nn::Child<nn::Sequential> tail{this, "tail", nn::Linear(4, 4), nn::Tanh()};
  Tensor forward(const Tensor& x) override {
    const Tensor h = a(x);
    return tail(h) + h;
  }
};

}  // namespace

TEST_CASE("a pattern means the modules whose dotted names are like it") {
  const auto net = nn::resnet_cifar(14);
  const auto count = [&](const char* pattern) { return net->matching(pattern).size(); };
  CHECK(count("stage2.*") == 2 * 6);  // everything below it
  CHECK(count("stage?") == 3);
  CHECK(count("*.conv[12]") == 12);
  CHECK(count("*") == net->named_modules().size());
  CHECK(net->matching("stage2.1.bn1") ==
        std::vector<std::pair<std::string, nn::Module*>>{{"stage2.1.bn1", &net->at("stage2.1.bn1")}});
  CHECK(net->matching("")[0].second == net.get());
  CHECK(message_of([&] { net->matching("stage4.*"); }) == "module: no name in this CifarNet is like \"stage4.*\"");
  CHECK_THROWS_AS(net->matching("stage4"), Error);
}

TEST_CASE("capture keeps outputs and their gradients") {
  manual_seed(1);
  Net net;
  const Tensor x = randn({2, 3});
  const auto seen = nn::capture(net, "*a*");
  sum(square(net(x))).backward();
  REQUIRE(names_of(seen.responses()) == std::vector<std::string>{"a", "tail.0", "tail.1", "tail"});
  const Tensor h = net.a->forward(x),
               inner = linear(h, net.tail->at("0").parameters()[0], net.tail->at("0").parameters()[1]);
  const Tensor y = tanh(inner) + h, g = 2.0 * y, g_inner = g * (1.0 - square(tanh(inner)));
  const Tensor g_h = g + matmul(g_inner, transpose(net.tail->at("0").parameters()[0]));
  const Tensors outputs{h, inner, tanh(inner), tanh(inner)}, gradients{g_h, g_inner, g, g};
  for (std::size_t i = 0; i < 4; ++i) {
    const nn::Response& r = seen.responses()[i];
    CHECK(allclose(r.output, outputs[i], 1e-5, 1e-6));
    CHECK(allclose(r.gradient, gradients[i], 1e-5, 1e-5));
    CHECK_FALSE(r.output.requires_grad());
  }
}

TEST_CASE("capture forgets what it is told to, and ends") {
  manual_seed(2);
  Net net;
  const Tensor x = randn({2, 3});
  std::vector<nn::Response> first;
  {
    auto seen = nn::capture(net, "tail.*");
    net(x);
    net(x);
    CHECK(seen.responses().size() == 4);
    CHECK_FALSE(seen.responses()[0].gradient.defined());
    first = seen.responses();
    seen.clear();
    CHECK(seen.responses().empty());
    {
      const NoGrad off;
      net(x);
    }
    CHECK(seen.responses().size() == 2);
    sum(net(x)).backward();
    CHECK(seen.responses()[3].gradient.defined());
    CHECK_FALSE(seen.responses()[1].gradient.defined());
  }
  const Tensor y = net(x);
  CHECK(first.size() == 4);
  sum(y).backward();  // nothing is kept any more, and nothing is looked for
  CHECK(message_of([&] { nn::Capture(net, "b*"); }) == "module: no name in this Net is like \"b*\"");
}

TEST_CASE("backward hooks see gradients, and may exchange them") {
  manual_seed(3);
  Net net;
  const Tensor x = randn({2, 3});
  int calls = 0;
  auto look = net.register_backward_hook("tail*", [&](nn::Module&, const Tensor& g) {
    ++calls;
    CHECK(g.shape() == Shape{2, 4});
  });
  auto half = net.register_backward_hook("tail.1", [&](nn::Module& m, const Tensor& g) {
    CHECK(&m == &net.at("tail.1"));
    return g * 0.5;
  });
  Tensor y = net(x);
  sum(y).backward();
  CHECK(calls == 3);
  const std::vector<double> halved = values_of(net.tail->at("0").parameters()[0].grad());
  // A hook that has been taken off is not called for what was recorded before either.
  net.zero_grad();
  y = net(x);
  look.remove();
  half.remove();
  sum(y).backward();
  CHECK(calls == 3);
  const std::vector<double> whole = values_of(net.tail->at("0").parameters()[0].grad());
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(halved[i] == doctest::Approx(whole[i] / 2));
  // One forward hook for several modules, taken off at once.
  int forward_calls = 0;
  auto both = net.register_forward_hook("tail.?", [&](nn::Module&, const Tensor&, const Tensor&) { ++forward_calls; });
  net(x);
  CHECK(forward_calls == 2);
  both.remove();
  net(x);
  CHECK(forward_calls == 2);
}

TEST_CASE("backward hooks of a net that is gone are not called") {
  Tensor y;
  int calls = 0;
  {
    Net net;
    net.register_backward_hook("a", [&](nn::Module&, const Tensor&) { ++calls; });
    y = net(ones({2, 3}));
  }
  sum(y).backward();
  CHECK(calls == 0);
}

// Averages of weights.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

using namespace weft;
using test::values_of;

TEST_CASE("an average follows its module") {
  manual_seed(1);
  nn::Sequential net(nn::Linear(2, 3), nn::BatchNorm(3));
  nn::Ema average(net, 0.75);
  const auto parameter_of = [](nn::Module& module) { return values_of(module.parameters()[0]); };
  CHECK(parameter_of(average.module()) == parameter_of(net));
  CHECK(!average.module().is_training());
  CHECK(!average.module().parameters()[0].requires_grad());
  CHECK(net.is_training());
  CHECK(net.parameters()[0].requires_grad());

  auto expected = parameter_of(net), means = values_of(net.named_buffers()[0].second);
  nn::Sgd optimizer(net, {.lr = 0.3});
  for (int step = 0; step < 4; ++step) {
    optimizer.zero_grad();
    sum(square(net(randn({8, 2})))).backward();
    optimizer.step();
    average.update();
    const auto now = parameter_of(net), buffer = values_of(net.named_buffers()[0].second);
    for (std::size_t i = 0; i < now.size(); ++i) expected[i] = 0.75 * expected[i] + 0.25 * now[i];
    for (std::size_t i = 0; i < buffer.size(); ++i) means[i] = 0.75 * means[i] + 0.25 * buffer[i];
  }
  const auto got = parameter_of(average.module());
  const auto got_means = values_of(average.module().named_buffers()[0].second);
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-5));
  for (std::size_t i = 0; i < means.size(); ++i) CHECK(got_means[i] == doctest::Approx(means[i]).epsilon(1e-5));
  CHECK(got != parameter_of(net));
  for (const double wrong : {1.0, -0.1}) CHECK_THROWS_AS(nn::Ema(net, wrong), Error);
}

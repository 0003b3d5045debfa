// Sequences whose parts are computed again in backward.
#include <doctest/doctest.h>
#include <tests/support/same.hpp>
#include <weft/weft.hpp>

using namespace weft;

TEST_CASE("a sequence under checkpoint gives the same and keeps less") {
  const auto make_net = [](std::int64_t every) {
    manual_seed(11);
    auto net = std::make_shared<nn::Sequential>();
    for (int i = 0; i < 7; ++i)
      net->append(nn::make<nn::Sequential>(nn::Linear(64, 64), nn::BatchNorm(64), nn::Tanh(), nn::Dropout(0.1)));
    net->checkpoint_every = every;
    return net;
  };
  const auto plain = make_net(0);
  const Tensor x = randn({256, 64});
  std::int64_t plain_bytes = 0;
  const auto step = [&](nn::Sequential& net) {  // the bytes that the graph holds before backward
    manual_seed(12);
    const std::int64_t before = memory_stats().bytes;
    const Tensor loss = mean(square(net(x)));
    const std::int64_t held = memory_stats().bytes - before;
    loss.backward();
    return held;
  };
  plain_bytes = step(*plain);
  for (const std::int64_t every : {1, 3, 7, 100}) {
    const auto net = make_net(every);
    const std::int64_t bytes = step(*net);
    CHECK(bytes * 2 < plain_bytes);
    const nn::NamedTensors mine = nn::state(*net), theirs = nn::state(*plain);  // running statistics too
    for (std::size_t i = 0; i < mine.size(); ++i) CHECK(same_bits(mine[i].second, theirs[i].second));
    const Tensors parameters = net->parameters(), wanted = plain->parameters();
    for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(same_bits(parameters[i].grad(), wanted[i].grad()));
  }
  nn::Sequential wrong(nn::Tanh{});
  wrong.checkpoint_every = -1;
  CHECK_THROWS_AS(wrong(x), Error);
}

TEST_CASE("a checkpointed sequence may be gone before backward") {
  manual_seed(13);
  const Tensor x = parameter(randn({4, 8}));
  Tensor loss;
  {
    nn::Sequential net(nn::Linear(8, 8), nn::Tanh());
    net.checkpoint_every = 2;
    loss = sum(net(x));
  }
  loss.backward();
  CHECK(x.grad().defined());
}

// Averages of weights, over resumes, and running statistics for them.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/same.hpp>
#include <tests/support/statistics.hpp>
#include <tests/support/temp_dir.hpp>
#include <weft/weft.hpp>

#include <cmath>

using namespace weft;
using test::values_of;

namespace {

using Values = std::vector<double>;

double gap(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

// All tensors of a module, parameters and buffers, one after another.
Values values_in(const nn::Module& module) {
  Values all;
  for (const auto& [name, t] : nn::state(module))
    for (const double v : values_of(t)) all.push_back(v);
  return all;
}

struct Trained {
  nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm(3)};
  nn::Sgd optimizer{net, {.lr = 0.3}};
  void step(int number) {
    Generator generator(static_cast<std::uint64_t>(number));
    optimizer.zero_grad();
    sum(square(net(randn({8, 2}, f32, generator)))).backward();
    optimizer.step();
  }
};

}  // namespace

TEST_CASE("an average follows its module, by a decay or all values alike") {
  for (const bool equal : {false, true}) {
    manual_seed(1);
    Trained trained;
    const Values before = values_in(trained.net);
    nn::Average mean(trained.net);
    nn::Ema ema(trained.net, 0.75);
    nn::Average& average = equal ? mean : ema;
    CHECK(values_in(average.module()) == before);
    CHECK(!average.module().is_training());
    CHECK(!average.module().parameters()[0].requires_grad());
    CHECK(trained.net.is_training());
    CHECK(trained.net.parameters()[0].requires_grad());

    Values expected = before;
    for (int step = 1; step <= 6; ++step) {
      trained.step(step);
      average.update();
      CHECK(average.updates() == step);
      const Values now = values_in(trained.net);
      for (std::size_t i = 0; i < now.size(); ++i) expected[i] += (now[i] - expected[i]) * (equal ? 1.0 / step : 0.25);
      if (equal && step == 1) CHECK(values_in(average.module()) == now);
    }
    const Values got = values_in(average.module());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-5));
    CHECK(got != values_in(trained.net));
  }
}

TEST_CASE("an average by a decay of one's own, and of buffers that are no floating numbers") {
  struct Counted : nn::Module {
    nn::Param w{this, "w", zeros({2}, f64)};
    nn::Buffer steps{this, "steps", zeros({}, i64)};
  } net;
  std::vector<std::int64_t> asked;
  nn::Average average(net, [&](std::int64_t updates) {
    asked.push_back(updates);
    return updates < 2 ? 0.5 : 2.0;
  });
  const NoGrad off;
  for (int i = 1; i <= 2; ++i) {
    net.w.fill_(4 * i);
    net.steps.fill_(i);
    average.update();
  }
  const nn::NamedTensors state = average.state();
  CHECK(values_of(state[1].second) == Values{5, 5});  // (0 + 4) / 2 = 2, (2 + 8) / 2
  CHECK(state[2].second.item() == 2);
  CHECK(message_of([&] { average.update(); }) == "Average: got decay 2, needs 0 <= decay < 1");
  CHECK(asked == std::vector<std::int64_t>{0, 1, 2});
  CHECK(average.updates() == 2);
  net.w.fill_(INFINITY);
  nn::Average equal(net);
  net.w.fill_(3);
  equal.update();  // copies
  CHECK(values_of(equal.state()[1].second) == Values{3, 3});
  net.to(f32);
  for (const double wrong : {1.0, -0.1, std::nan("")}) CHECK_THROWS_AS(nn::Ema(net, wrong), Error);

  nn::Ema ema(net);
  net.to(f64);
  CHECK(message_of([&] { ema.update(); }) == "Average: got f32 {2} and f64 {2}, needs one dtype (see to())");
}

TEST_CASE("a resumed average goes on bit for bit") {
  for (const bool equal : {false, true}) {
    manual_seed(2);
    Trained trained;
    const auto made = [&]() -> std::unique_ptr<nn::Average> {
      if (equal) return std::make_unique<nn::Average>(trained.net);
      return std::make_unique<nn::Ema>(trained.net, 0.9);
    };
    const auto whole = made();
    for (int step = 0; step < 3; ++step, whole->update()) trained.step(step);
    const TempDir dir;
    nn::write_safetensors(dir / "average", whole->state());
    trained.step(3);
    const auto resumed = made();
    resumed->update();  // a past of its own, which is forgotten
    resumed->load_state(nn::read_safetensors(dir / "average").tensors);
    CHECK(resumed->updates() == 3);
    for (int step = 4; step < 7; ++step) {
      trained.step(step);
      whole->update();
      resumed->update();
      CHECK(values_in(resumed->module()) == values_in(whole->module()));
    }

    const Values before = values_in(whole->module());
    const nn::NamedTensors good = resumed->state();
    for (std::size_t i = 0; i < good.size(); ++i) {
      nn::NamedTensors bad = good;
      bad[i].second = zeros({3, 3}, good[i].second.dtype());
      CHECK(message_of([&] { whole->load_state(bad); }).find("\"" + good[i].first + "\"") != std::string::npos);
      bad.pop_back();
      CHECK(message_of([&] { whole->load_state(bad); }).starts_with("Average: the saved state has "));
    }
    nn::NamedTensors bad = good;
    bad[0].second = scalar(-1, i64);
    CHECK(message_of([&] { whole->load_state(bad); }) == "Average: got -1 steps, needs 0 to 2^53");
    CHECK(values_in(whole->module()) == before);
    CHECK(whole->updates() == 6);
  }
}

TEST_CASE("batch norms get the mean of the batches' statistics") {
  manual_seed(3);
  nn::Sequential net(nn::BatchNorm(3, {.momentum = 0.3}), nn::Dropout(0.5), nn::BatchNorm(3));
  net.to(f64);
  net.eval();
  auto& first = dynamic_cast<nn::BatchNorm&>(net.at("0"));
  auto& last = dynamic_cast<nn::BatchNorm&>(net.at("2"));
  const Tensor x = 3.0 * randn({12, 3}, f64) + 1.0;
  const Tensors batches = split(x, 4, 0);
  {
    const NoGrad off;
    first.running_mean.fill_(NAN);
  }
  nn::update_batch_norm(net, batches);
  Tensor means = zeros({3}, f64), variances = zeros({3}, f64), deep = zeros({3}, f64);
  for (const Tensor& batch : batches) {
    means = means + mean(batch, 0) / 3.0;
    variances = variances + var(batch, 0) / 3.0;
    const Tensor spread = var(batch, 0, false, 0);
    deep = deep + spread / (spread + 1e-5) * (4.0 / 3.0) / 3.0;  // of what the first makes of it, no dropout between
  }
  CHECK(gap(first.running_mean, means) < 1e-14);
  CHECK(gap(first.running_var, variances) < 1e-13);
  CHECK(gap(last.running_mean, zeros({3}, f64)) < 1e-14);
  CHECK(gap(last.running_var, deep) < 1e-13);
  CHECK(first.options.momentum == 0.3);
  CHECK(!first.is_training());

  // A loader's batches; what trains goes on training; what fails changes nothing.
  net.train();
  const Values before = values_in(net);
  nn::DataLoader loader(nn::Dataset{x, zeros({12}, i64)}, {.batch_size = 4});
  nn::update_batch_norm(net, loader);
  CHECK(gap(first.running_mean, means) < 1e-14);
  CHECK(first.is_training());
  CHECK(first.options.momentum == 0.3);
  const Values now = values_in(net);
  CHECK(message_of([&] { nn::update_batch_norm(net, Tensors{}); }) == "update_batch_norm: got no batches");
  CHECK(!message_of([&] { nn::update_batch_norm(net, Tensors{x, ones({2, 5}, f64)}); }).empty());
  CHECK(values_in(net) == now);
  CHECK(first.options.momentum == 0.3);
}

// ReduceOnPlateau against a plain rule, step by step, over resumes; tests/nn/train/figures.cpp has PyTorch's numbers.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <weft/weft.hpp>

#include <cmath>
#include <limits>

using namespace weft;

namespace {

// Two groups whose rates differ.
struct Fixture {
  Tensor a = parameter(ones({1}, f64)), b = parameter(ones({1}, f64));
  nn::Sgd optimizer{{{{a}, {.lr = 0.4}}, {{b}, {.lr = 0.03}}}};
  nn::ReduceOnPlateau schedule;
  explicit Fixture(const nn::ReduceOnPlateauOptions& options) : schedule(optimizer, options) {}
};

// The options' meaning in words of its own: how many steps in a row were no better, pauses left out.
struct Rule {
  nn::ReduceOnPlateauOptions o;
  std::int64_t bad = 0, pause = 0, reductions = 0;
  double best = o.mode == nn::PlateauMode::min ? INFINITY : -INFINITY;
  double lrs[2] = {0.4, 0.03};

  void step(double metric) {
    const double sign = o.mode == nn::PlateauMode::min ? -1 : 1;
    const double ahead = o.threshold_mode == nn::ThresholdMode::relative ? o.threshold * best : o.threshold;
    const bool better = std::isinf(best) ? !std::isnan(metric) : sign * (metric - best) > ahead;
    bad = better ? 0 : bad + 1;
    if (better) best = metric;
    if (pause > 0) --pause, bad = 0;
    if (bad <= o.patience) return;
    for (double& lr : lrs)
      if (const double less = std::max(lr * o.factor, o.min_lr); lr - less > o.eps) lr = less;
    ++reductions;
    bad = 0;
    pause = o.cooldown;
  }
};

}  // namespace

TEST_CASE("rates are reduced when a metric has not become better for long enough") {
  using enum nn::ThresholdMode;
  std::vector<double> metrics;
  Generator generator(3);
  for (int i = 0; i < 60; ++i) metrics.push_back(2 + std::exp(-0.1 * i) + 0.2 * randn({}, f64, generator).item());
  metrics[0] = std::nan("");
  metrics[20] = metrics[21] = std::nan("");
  for (const nn::PlateauMode mode : {nn::PlateauMode::min, nn::PlateauMode::max})
    for (const auto& [threshold_mode, threshold] : {std::pair(relative, 1e-4), {relative, 0.1}, {absolute, 0.05}})
      for (const std::int64_t patience : {0, 2, 5})
        for (const std::int64_t cooldown : {0, 3})
          for (const double min_lr : {0.0, 0.02})
            for (const double eps : {0.0, 1e-3}) {
              const nn::ReduceOnPlateauOptions options{mode,           0.5,      patience, threshold,
                                                       threshold_mode, cooldown, min_lr,   eps};
              Fixture f(options);
              Rule rule{options};
              for (std::size_t step = 0; step < metrics.size(); ++step) {
                Fixture resumed(options);
                resumed.schedule.load_state(f.schedule.state());
                for (Fixture* one : {&f, &resumed}) one->schedule.step(metrics[step]);
                rule.step(metrics[step]);
                CAPTURE(step);
                for (const Fixture* one : {&f, &resumed}) {
                  REQUIRE(one->optimizer.lr(0) == doctest::Approx(rule.lrs[0]).epsilon(1e-14));
                  REQUIRE(one->optimizer.lr(1) == doctest::Approx(rule.lrs[1]).epsilon(1e-14));
                  REQUIRE(one->schedule.best() == rule.best);
                  REQUIRE(one->schedule.reductions() == rule.reductions);
                }
              }
            }
}

TEST_CASE("ReduceOnPlateau drives Lbfgs, and refuses what cannot be") {
  const Tensor p = parameter(ones({1}, f64));
  nn::Lbfgs lbfgs({p});
  nn::ReduceOnPlateau schedule(lbfgs, {.patience = 0});
  for (const double metric : {1.0, 2.0}) schedule.step(metric);
  CHECK(lbfgs.lr() == doctest::Approx(0.1));

  for (const nn::ReduceOnPlateauOptions& wrong :
       {nn::ReduceOnPlateauOptions{.factor = 1}, nn::ReduceOnPlateauOptions{.patience = -1},
        nn::ReduceOnPlateauOptions{.threshold = -1}, nn::ReduceOnPlateauOptions{.threshold = 1},
        nn::ReduceOnPlateauOptions{.cooldown = -1}, nn::ReduceOnPlateauOptions{.min_lr = -1},
        nn::ReduceOnPlateauOptions{.eps = NAN}})
    CHECK(message_of([&] { nn::ReduceOnPlateau(lbfgs, wrong); }).starts_with("ReduceOnPlateau: got "));
  CHECK(lbfgs.lr() == doctest::Approx(0.1));

  const nn::NamedTensors good = schedule.state();
  const auto refused = [&](const char* name, const Tensor& value) {
    nn::NamedTensors bad = good;
    for (auto& [known, t] : bad)
      if (known == name) t = value;
    return message_of([&] { schedule.load_state(bad); });
  };
  CHECK(refused("best", scalar(NAN, f64)) == "ReduceOnPlateau: got best nan, needs a number");
  CHECK(refused("bad_steps", scalar(-1, i64)) == "ReduceOnPlateau: got -1 steps, needs 0 to 2^53");
  CHECK(refused("cooldown_left", scalar(-1, i64)) == "ReduceOnPlateau: got -1 steps, needs 0 to 2^53");
  CHECK(refused("steps", scalar(-1, i64)) == "schedule: got -1 steps, needs 0 to 2^53");
  CHECK(refused("best", zeros({2}, f64)).starts_with("ReduceOnPlateau: the saved state has \"best\""));
  CHECK(lbfgs.lr() == doctest::Approx(0.1));
  // As many reductions as a file may claim end at once.
  CHECK(refused("steps", full({}, 9e15, i64)).empty());
  CHECK(lbfgs.lr() < 1e-7);
}

// Schedules at every step, against closed forms, with several groups, over resumes.
#include <doctest/doctest.h>
#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>

using namespace weft;

namespace {

constexpr double pi = 3.14159265358979323846;

bool near(double got, double expected) { return std::abs(got - expected) <= 1e-13 * std::abs(expected); }

// Two groups whose rates and momenta differ.
struct Fixture {
  Tensor a = parameter(ones({1}, f64)), b = parameter(ones({1}, f64));
  nn::Sgd optimizer{{{{a}, {.lr = 0.4, .momentum = 0.7}}, {{b}, {.lr = 3.0, .momentum = 0.2}}}};
};

using Rate = std::function<double(double base, int steps)>;
using Momentum = std::function<std::optional<double>(int steps)>;

// From the constructor on, and from any step that it is taken up at.
void check(const std::function<std::unique_ptr<nn::Schedule>(nn::Optimizer&)>& make, const Rate& rate,
           const Momentum& momentum, int steps) {
  Fixture f;
  const auto schedule = make(f.optimizer);
  for (int step = 0; step < steps; ++step, schedule->step()) {
    CAPTURE(step);
    CHECK(schedule->steps() == step);
    CHECK(near(f.optimizer.lr(0), rate(0.4, step)));
    CHECK(near(f.optimizer.lr(1), rate(3.0, step)));
    CHECK(near(f.optimizer.momentum(0), momentum(step).value_or(0.7)));
    CHECK(near(f.optimizer.momentum(1), momentum(step).value_or(0.2)));

    Fixture other;
    other.optimizer.set_lr(77);
    const auto resumed = make(other.optimizer);
    resumed->load_state(schedule->state());
    CHECK(resumed->steps() == step);
    resumed->step();
    CHECK(near(other.optimizer.lr(0), rate(0.4, step + 1)));
    CHECK(near(other.optimizer.lr(1), rate(3.0, step + 1)));
  }
}

std::optional<double> untouched(int) { return std::nullopt; }

}  // namespace

TEST_CASE("MultiStepLr: gamma to the power of the milestones reached, in any order, twice if named twice") {
  check(
      [](nn::Optimizer& o) {
        return std::make_unique<nn::MultiStepLr>(o, nn::MultiStepLrOptions{{5, 2, 7, 7}, 0.3});
      },
      [](double base, int steps) {
        return base * std::pow(0.3, (steps >= 2 ? 1 : 0) + (steps >= 5 ? 1 : 0) + (steps >= 7 ? 2 : 0));
      },
      untouched, 10);
  check(
      [](nn::Optimizer& o) { return std::make_unique<nn::MultiStepLr>(o, nn::MultiStepLrOptions{.milestones = {3}}); },
      [](double base, int steps) { return steps >= 3 ? base * 0.1 : base; }, untouched, 5);
}

TEST_CASE("StepLr and ExponentialLr: powers of gamma") {
  check([](nn::Optimizer& o) { return std::make_unique<nn::StepLr>(o, nn::StepLrOptions{.every = 3, .gamma = 0.5}); },
        [](double base, int steps) { return base * std::pow(0.5, steps / 3); }, untouched, 8);
  check([](nn::Optimizer& o) { return std::make_unique<nn::ExponentialLr>(o, 0.9); },
        [](double base, int steps) { return base * std::pow(0.9, steps); }, untouched, 5);
  Fixture f;
  CHECK_THROWS_AS(nn::StepLr(f.optimizer, {.every = 0}), Error);
  CHECK_THROWS_AS(nn::ExponentialLr(f.optimizer, -1), Error);
}

TEST_CASE("LinearWarmup: straight up, then still") {
  check([](nn::Optimizer& o) { return std::make_unique<nn::LinearWarmup>(o, nn::LinearWarmupOptions{.steps = 4}); },
        [](double base, int steps) { return base * std::min(steps, 4) / 4; }, untouched, 7);
  check(
      [](nn::Optimizer& o) {
        return std::make_unique<nn::LinearWarmup>(o, nn::LinearWarmupOptions{.steps = 5, .start = 0.5});
      },
      [](double base, int steps) { return base * (0.5 + 0.5 * std::min(steps, 5) / 5); }, untouched, 7);
  Fixture f;
  CHECK_THROWS_AS(nn::LinearWarmup(f.optimizer, {.steps = 0}), Error);
  CHECK_THROWS_AS(nn::LinearWarmup(f.optimizer, {.steps = 3, .start = 2}), Error);
}

TEST_CASE("LambdaLr: a function of the steps") {
  check(
      [](nn::Optimizer& o) {
        return std::make_unique<nn::LambdaLr>(o,
                                              [](std::int64_t steps) { return 1.0 / static_cast<double>(1 + steps); });
      },
      [](double base, int steps) { return base / (1 + steps); }, untouched, 6);
  Fixture f;
  CHECK_THROWS_AS(nn::LambdaLr(f.optimizer, nullptr), Error);
  CHECK_THROWS_AS(nn::LambdaLr(f.optimizer, [](std::int64_t) { return -1.0; }), Error);
  CHECK(f.optimizer.lr(0) == 0.4);
}

TEST_CASE("a schedule of one's own is a function of the rate, and one of the momentum") {
  const auto rate = [](double base, std::int64_t steps) { return base + static_cast<double>(steps); };
  const auto momentum = [](std::int64_t steps) { return 0.5 + 0.1 * static_cast<double>(steps % 2); };
  check([=](nn::Optimizer& o) { return std::make_unique<nn::Schedule>(o, rate); },
        [](double base, int steps) { return base + steps; }, untouched, 4);
  check([=](nn::Optimizer& o) { return std::make_unique<nn::Schedule>(o, rate, momentum); },
        [](double base, int steps) { return base + steps; }, [](int steps) { return 0.5 + 0.1 * (steps % 2); }, 4);
  // What an optimiser cannot have changes nothing.
  Fixture f;
  CHECK_THROWS_WITH_AS(nn::Schedule(f.optimizer, nullptr), "schedule: got no function", Error);
  nn::Schedule falling(f.optimizer, [](double base, std::int64_t steps) { return base - static_cast<double>(steps); });
  CHECK_THROWS_WITH_AS(falling.step(), "Sgd: got lr -0.6, needs a number from 0", Error);
  CHECK(falling.steps() == 0);
  CHECK(f.optimizer.lr(0) == 0.4);
  CHECK(f.optimizer.lr(1) == 3.0);
}

TEST_CASE("CosineLr: half a cosine down to min_lr, and back") {
  for (const double min_lr : {0.0, 0.05})
    check(
        [=](nn::Optimizer& o) {
          return std::make_unique<nn::CosineLr>(o, nn::CosineLrOptions{7, min_lr});
        },
        [=](double base, int steps) { return min_lr + (base - min_lr) * 0.5 * (1 + std::cos(pi * steps / 7)); },
        untouched, 16);
}

TEST_CASE("OneCycleLr: up to the top at rise * total - 1, down to the last step, then still") {
  for (const nn::Anneal anneal : {nn::Anneal::cosine, nn::Anneal::linear})
    for (const double rise : {0.3, 0.5, 0.1})
      for (const bool cycle : {true, false}) {
        const nn::OneCycleLrOptions options{.max_lr = 0.8,
                                            .total_steps = 20,
                                            .rise = rise,
                                            .anneal = anneal,
                                            .start_divisor = 8,
                                            .end_divisor = 50,
                                            .cycle_momentum = cycle,
                                            .base_momentum = 0.6,
                                            .max_momentum = 0.9};
        CAPTURE(rise);
        CAPTURE(cycle);
        const auto shape = [=](double part) {
          return anneal == nn::Anneal::linear ? part : (1 - std::cos(pi * part)) / 2;
        };
        const auto at = [=](int steps, double start, double top, double end) {
          const double peak = rise * 20 - 1, now = std::min(steps, 19);
          return now <= peak ? start + (top - start) * shape(now / peak)
                             : top + (end - top) * shape((now - peak) / (19 - peak));
        };
        check([=](nn::Optimizer& o) { return std::make_unique<nn::OneCycleLr>(o, options); },
              [=](double, int steps) { return at(steps, 0.1, 0.8, 0.002); },
              [=](int steps) { return cycle ? std::optional(at(steps, 0.9, 0.6, 0.9)) : std::nullopt; }, 23);
      }
}

TEST_CASE("OneCycleLr's defaults, and Adam's beta1 as its momentum") {
  const Tensor p = parameter(ones({1}));
  nn::Adam adam({p}, {.lr = 9});
  nn::OneCycleLr cycle(adam, {.max_lr = 0.5, .total_steps = 10});
  CHECK(near(adam.lr(), 0.02));
  CHECK(near(adam.momentum(), 0.95));
  cycle.step();
  cycle.step();
  CHECK(near(adam.lr(), 0.5));
  CHECK(near(adam.momentum(), 0.85));
  for (int i = 0; i < 7; ++i) cycle.step();
  CHECK(std::abs(adam.lr() / 2e-6 - 1) < 1e-9);
  CHECK(near(adam.momentum(), 0.95));
}

// Optimisers, schedules and clipping held against PyTorch's figures (tests/figures/training.py makes them), in f64.
#include <doctest/doctest.h>
#include <tests/support/figures.hpp>
#include <tests/support/statistics.hpp>
#include <weft/weft.hpp>

#include <cmath>
#include <functional>
#include <map>
#include <memory>

using namespace weft;
using nlohmann::json;
using test::values_of;

namespace {

using Values = std::vector<double>;

const json& figures() {
  static const json read = test::figures_in("training.json");
  return read;
}

Tensor tensor_of(const json& values, const Shape& shape) {
  const auto list = values.get<Values>();
  return tensor(std::span<const double>(list), shape, f64);
}

// Two parameters of different shapes, with the values that PyTorch's started from.
Tensors start() {
  return {parameter(tensor_of(figures()["start"][0], {3, 4})), parameter(tensor_of(figures()["start"][1], {5}))};
}

void set_gradients(const Tensors& parameters, const json& values) {
  const Tensor all = tensor_of(values, {-1});
  Tensor(parameters[0]).set_grad(reshape(slice(all, 0, 0, 12), {3, 4}));
  Tensor(parameters[1]).set_grad(slice(all, 0, 12, 17));
}

// The largest difference, as a part of the largest figure; of nothing else but numbers.
double deviation(const Values& got, const json& figure) {
  const auto wanted = figure.get<Values>();
  REQUIRE(got.size() == wanted.size());
  double scale = 0, gap = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    scale = std::max(scale, std::abs(wanted[i]));
    if (!(std::abs(got[i] - wanted[i]) <= gap)) gap = std::abs(got[i] - wanted[i]);
  }
  REQUIRE(scale > 0);
  return gap / scale;
}

double deviation(const Tensors& got, const json& figure) {
  return deviation(values_of(nn::parameters_to_vector(got)), figure);
}

// Ten steps by the given gradients, of an optimiser of two groups.
template <class Optimizer, class Options>
void check_steps(const std::string& title, const Options& first, const Options& second) {
  const Tensors parameters = start();
  Optimizer optimizer({{{parameters[0]}, first}, {{parameters[1]}, second}});
  const json& seen = figures()["optimizers"].at(title);
  CAPTURE(title);
  for (std::size_t step = 1; step <= 10; ++step) {
    set_gradients(parameters, figures()["gradients"][step - 1]);
    optimizer.step();
    if (seen.contains(std::to_string(step))) CHECK(deviation(parameters, seen[std::to_string(step)]) < 1e-12);
  }
}

}  // namespace

TEST_CASE("ten steps of each optimiser") {
  using nn::SgdOptions;
  check_steps<nn::Sgd>("Sgd", SgdOptions{.lr = 0.1}, SgdOptions{.lr = 0.03, .weight_decay = 0.1});
  check_steps<nn::Sgd>("Sgd, momentum", SgdOptions{.lr = 0.1, .momentum = 0.9},
                       SgdOptions{.lr = 0.03, .momentum = 0.5, .weight_decay = 0.2, .dampening = 0.3});
  check_steps<nn::Sgd>("Sgd, nesterov", SgdOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true},
                       SgdOptions{.lr = 0.03, .momentum = 0.6, .weight_decay = 0.1, .nesterov = true});
  using nn::AdamOptions;
  check_steps<nn::Adam>("Adam", AdamOptions{.lr = 0.1, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-4},
                        AdamOptions{.lr = 0.03, .beta1 = 0.5, .beta2 = 0.9, .weight_decay = 0.1});
  using nn::AdamWOptions;
  check_steps<nn::AdamW>("AdamW", AdamWOptions{.lr = 0.1, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-4},
                         AdamWOptions{.lr = 0.03, .beta1 = 0.5, .beta2 = 0.9, .weight_decay = 0.3});
  using nn::RmsPropOptions;
  check_steps<nn::RmsProp>("RmsProp", RmsPropOptions{.lr = 0.1, .alpha = 0.9, .eps = 1e-3},
                           RmsPropOptions{.lr = 0.03, .weight_decay = 0.2});
  check_steps<nn::RmsProp>("RmsProp, momentum", RmsPropOptions{.lr = 0.1, .alpha = 0.9, .momentum = 0.7},
                           RmsPropOptions{.lr = 0.03, .weight_decay = 0.2, .momentum = 0.3});
  check_steps<nn::RmsProp>("RmsProp, centered", RmsPropOptions{.lr = 0.1, .alpha = 0.9, .centered = true},
                           RmsPropOptions{.lr = 0.03, .alpha = 0.8, .eps = 1e-2, .momentum = 0.5, .centered = true});
  using nn::AdagradOptions;
  check_steps<nn::Adagrad>("Adagrad",
                           AdagradOptions{.lr = 0.1, .lr_decay = 0.2, .initial_accumulator = 0.3, .eps = 1e-5},
                           AdagradOptions{.lr = 0.03, .weight_decay = 0.1, .initial_accumulator = 0.3});
  CHECK(figures()["optimizers"].size() == 9);
}

TEST_CASE("ten steps of Lbfgs, with as many evaluations") {
  const std::map<std::string, nn::LbfgsOptions> runs = {
      {"strong Wolfe", {.max_iter = 2, .max_eval = 100}},
      {"strong Wolfe, short memory", {.lr = 0.3, .max_iter = 3, .history_size = 2}},
      {"no line search",
       {.lr = 0.05, .max_iter = 4, .max_eval = 6, .history_size = 5, .line_search = nn::LineSearch::none}},
  };
  REQUIRE(figures()["lbfgs"].size() == runs.size());
  for (const auto& run : runs) {
    const auto& title = run.first;
    CAPTURE(title);
    const json& seen = figures()["lbfgs"].at(title);
    const Tensors parameters = start();
    nn::Lbfgs optimizer(parameters, run.second);
    int evaluations = 0;
    const auto closure = [&] {
      ++evaluations;
      optimizer.zero_grad();
      const Tensor v = nn::parameters_to_vector(parameters);
      const Tensor turns = sum(square(slice(v, 0, 1, 17) - square(slice(v, 0, 0, 16))));
      const Tensor loss = turns + 0.1 * sum(square(1.0 - v)) + exp(0.3 * v[0]);
      loss.backward();
      return loss;
    };
    for (std::size_t step = 1; step <= 10; ++step) {
      CAPTURE(step);
      CHECK(std::abs(optimizer.step(closure).item() / seen["losses"][step - 1].get<double>() - 1) < 1e-11);
      CHECK(evaluations == seen["evaluations"][step - 1]);
      const json& parts = seen["parameters"];
      if (parts.contains(std::to_string(step))) CHECK(deviation(parameters, parts[std::to_string(step)]) < 1e-11);
    }
  }
}

namespace {

// The rates of two groups over thirty steps. `make` gives what moves the schedule on, by a metric or without.
template <class Optimizer, class Options>
void check_rates(const std::string& title, double Options::*momentum,
                 const std::function<std::function<void(double metric)>(nn::ParameterGroups&)>& make) {
  const Tensors parameters = start();
  Options first{.lr = 0.4}, second{.lr = 3.0};
  first.*momentum = 0.7;
  second.*momentum = 0.2;
  Optimizer optimizer({{{parameters[0]}, first}, {{parameters[1]}, second}});
  const auto step_with = make(optimizer);
  const json& seen = figures()["schedules"].at(title);
  CAPTURE(title);
  for (std::size_t step = 0; step < 30; ++step) {
    CAPTURE(step);
    for (const int group : {0, 1}) {
      const auto i = static_cast<std::size_t>(group);
      CHECK(optimizer.lr(group) == doctest::Approx(seen["lr"][step][i].get<double>()).epsilon(1e-12));
      CHECK(optimizer.momentum(group) == doctest::Approx(seen["momentum"][step][i].get<double>()).epsilon(1e-12));
    }
    if (step < 29) step_with(step == 0 || step == 14 ? NAN : figures()["metrics"][step].get<double>());
  }
}

template <class Schedule, class Options>
auto by_steps(const Options& options) {
  return [options](nn::ParameterGroups& optimizer) {
    return [schedule = std::make_shared<Schedule>(optimizer, options)](double) { schedule->step(); };
  };
}

auto by_metric(const nn::ReduceOnPlateauOptions& options) {
  return [options](nn::ParameterGroups& optimizer) {
    return [schedule = std::make_shared<nn::ReduceOnPlateau>(optimizer, options)](double m) { schedule->step(m); };
  };
}

}  // namespace

TEST_CASE("thirty steps of each schedule") {
  const std::map<std::string, std::function<std::function<void(double)>(nn::ParameterGroups&)>> schedules = {
      {"StepLr", by_steps<nn::StepLr>(nn::StepLrOptions{.every = 4, .gamma = 0.5})},
      {"MultiStepLr", by_steps<nn::MultiStepLr>(nn::MultiStepLrOptions{{3, 10, 11, 25}, 0.3})},
      {"ExponentialLr", by_steps<nn::ExponentialLr>(0.9)},
      {"CosineLr", by_steps<nn::CosineLr>(nn::CosineLrOptions{.total_steps = 12, .min_lr = 0.05})},
      {"OneCycleLr", by_steps<nn::OneCycleLr>(nn::OneCycleLrOptions{.max_lr = 0.8, .total_steps = 30})},
      {"LinearWarmup", by_steps<nn::LinearWarmup>(nn::LinearWarmupOptions{.steps = 7, .start = 0.25})},
      {"LambdaLr",
       by_steps<nn::LambdaLr>([](std::int64_t steps) { return 1 / (1 + 0.1 * static_cast<double>(steps)); })},
      {"ReduceOnPlateau", by_metric({.patience = 2})},
      {"ReduceOnPlateau, cooldown",
       by_metric({.factor = 0.5, .patience = 1, .threshold = 0.05, .cooldown = 3, .min_lr = 0.02})},
      {"ReduceOnPlateau, max", by_metric({.mode = nn::PlateauMode::max,
                                          .factor = 0.5,
                                          .patience = 3,
                                          .threshold = 0.1,
                                          .threshold_mode = nn::ThresholdMode::absolute,
                                          .eps = 0.05})},
  };
  for (const auto& [title, make] : schedules) check_rates<nn::Sgd>(title, &nn::SgdOptions::momentum, make);
  check_rates<nn::Adam>("OneCycleLr, linear", &nn::AdamOptions::beta1,
                        by_steps<nn::OneCycleLr>(nn::OneCycleLrOptions{.max_lr = 0.8,
                                                                       .total_steps = 30,
                                                                       .rise = 0.45,
                                                                       .anneal = nn::Anneal::linear,
                                                                       .start_divisor = 8,
                                                                       .end_divisor = 50,
                                                                       .base_momentum = 0.6,
                                                                       .max_momentum = 0.9}));
  CHECK(figures()["schedules"].size() == schedules.size() + 1);
}

TEST_CASE("clipped gradients") {
  const std::map<std::string, std::function<double(const Tensors&)>> clips = {
      {"norm 2", [](const Tensors& p) { return nn::clip_grad_norm(p, 1.5); }},
      {"norm 1", [](const Tensors& p) { return nn::clip_grad_norm(p, 1.5, 1); }},
      {"norm 3", [](const Tensors& p) { return nn::clip_grad_norm(p, 1.5, 3); }},
      {"norm inf", [](const Tensors& p) { return nn::clip_grad_norm(p, 1.5, INFINITY); }},
      {"norm within", [](const Tensors& p) { return nn::clip_grad_norm(p, 100); }},
      {"value", [](const Tensors& p) { return nn::clip_grad_value(p, 0.6), 0.0; }},
  };
  REQUIRE(figures()["clipping"].size() == clips.size());
  for (const auto& way : clips) {
    const auto& title = way.first;
    CAPTURE(title);
    const json& seen = figures()["clipping"].at(title);
    const Tensors parameters = start();
    set_gradients(parameters, figures()["gradients"][0]);
    CHECK(way.second(parameters) == doctest::Approx(seen["norm"].get<double>()).epsilon(1e-13));
    CHECK(deviation(Tensors{parameters[0].grad(), parameters[1].grad()}, seen["gradients"]) < 1e-13);
  }
}

// Ten steps of Adam on plain code in which a sum, a projection and a concatenation lead past layers: to the optimiser a
// graph as any other.
TEST_CASE("Adam with shortcuts") {
  struct Net : nn::Module {
    nn::Param a{this, "a", zeros({4, 4})}, b{this, "b", zeros({4, 3})}, skip{this, "skip", zeros({4, 3})},
        out{this, "out", zeros({7, 1})};
    Tensor forward(const Tensor& x) override {
      const Tensor h = tanh(matmul(x, a)) + x;
      const Tensor p = relu(matmul(h, b)) + matmul(h, skip);
      return matmul(concat({h, p}), out);
    }
  } net;
  net.to(f64);
  const json& seen = figures()["shortcuts"];
  for (auto& [name, p] : net.named_parameters()) {
    const NoGrad off;
    p.copy_(tensor_of(seen["start"].at(name), p.shape()));
  }
  const Tensor x = tensor_of(seen["x"], {12, 4}), y = tensor_of(seen["y"], {12, 1});
  nn::Adam adam(net, {.lr = 0.05});
  for (std::size_t step = 0; step < 10; ++step) {
    adam.zero_grad();
    const Tensor loss = nn::mse(net(x), y);
    CHECK(loss.item() == doctest::Approx(seen["losses"][step].get<double>()).epsilon(1e-12));
    loss.backward();
    adam.step();
  }
  for (const auto& trained : net.named_parameters()) {
    CAPTURE(trained.first);
    CHECK(deviation(values_of(trained.second), seen["end"].at(trained.first)) < 1e-12);
  }
}

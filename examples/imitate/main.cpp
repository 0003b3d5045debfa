// Do hidden units replace a skip layer? Over a bounded range one of them can stand in for a connection from input to
// output, with a small weight before it and a large one after it (Bishop, Pattern Recognition and Machine Learning,
// 2006, section 5.1). Measured here: how exact that is, where rounding ends it, and what it costs gradient descent.
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../common/statistics.hpp"
#include "../common/study.hpp"

using namespace weft;

// What stands in for y = x. Its bias and the output's are set so that nothing of order 0 or 2 is left.
Tensor by_tanh(const Tensor& x, double w) { return tanh(x * w) / w; }
Tensor by_sigmoid(const Tensor& x, double w) { return (sigmoid(x * w) - 0.5) * (4 / w); }

// The largest error over [-1, 1], in the arithmetic of the dtype.
double largest_error(Tensor (*unit)(const Tensor&, double), double w, DType dtype) {
  const Tensor x = linspace(-1, 1, 2001, f64).to(dtype);
  return max(abs(unit(x, w).to(f64) - x.to(f64))).item();
}

struct Curve {
  std::string name;
  Tensor (*unit)(const Tensor&, double);
  DType dtype;
  std::vector<double> errors = {};
};

std::vector<double> powers(double from, double to, double factor) {
  std::vector<double> all;
  for (double w = from; w > to * std::sqrt(factor); w *= factor) all.push_back(w);
  return all;
}

// The slope of y over x in logarithms, where x lies in [low, high].
double slope(const std::vector<double>& x, const std::vector<double>& y, double low, double high) {
  std::vector<double> log_x, log_y;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] > 0.999 * low && x[i] < 1.001 * high) log_x.push_back(std::log(x[i])), log_y.push_back(std::log(y[i]));
  return common::fit_line(log_x, log_y).slope;
}

double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

// ---- how exact it is ----

std::vector<Curve> exactness(common::Study& study, const std::vector<double>& scales) {
  std::vector<Curve> curves{{"tanh, f32", by_tanh, f32},
                            {"tanh, f64", by_tanh, f64},
                            {"sigmoid, f32", by_sigmoid, f32},
                            {"sigmoid, f64", by_sigmoid, f64}};
  // The slope is taken where the error is far above rounding and the next term of the series is small.
  common::Table table{"The unit with the weight w before and 1/w after it, against y = x on [-1, 1]",
                      {"unit", "from w", "to w", "slope there", "least error", "at w", "error at w = 1e-8"}};
  common::Figure figure{"error",
                        "A hidden unit in the place of a skip connection",
                        {"weight w before the unit", true},
                        {"largest error on [-1, 1]", true, 1e-17, 1e5},
                        {}};
  for (Curve& curve : curves) {
    for (const double w : scales) curve.errors.push_back(largest_error(curve.unit, w, curve.dtype));
    const double low = curve.dtype == f32 ? 0.06 : 1e-3, high = 0.3;
    const double found = slope(scales, curve.errors, low, high), floor = least(curve.errors);
    const auto at = std::min_element(curve.errors.begin(), curve.errors.end()) - curve.errors.begin();
    const double smallest_w = largest_error(curve.unit, 1e-8, curve.dtype);
    table.add({curve.name, fmt::format("{:g}", high), fmt::format("{:g}", low), found, floor,
               fmt::format("{:.1e}", scales[static_cast<std::size_t>(at)]), smallest_w});
    study.more()["error"][curve.name] = {{"slope", found}, {"floor", floor}, {"at_1e-8", smallest_w}};
    common::Series line{curve.name, {}, {}};
    for (std::size_t i = 0; i < scales.size(); ++i)
      if (curve.errors[i] > 0) line.x.push_back(scales[i]), line.y.push_back(curve.errors[i]);
    figure.series.push_back(line);
  }
  study.add(table);
  study.add(figure);
  return curves;
}

// ---- what it costs ----

// Mean squared error of v tanh(w x) against y = x, of {w, v}; x at 65 points of [-1, 1].
Tensor loss(const Tensor& weights) {
  static const Tensor x = linspace(-1, 1, 65, f64);
  return nn::mse(weights[1] * tanh(weights[0] * x), x);
}

// The v that is best for this w.
double best_outgoing(double w) {
  const Tensor x = linspace(-1, 1, 65, f64), h = tanh(x * w);
  return (sum(h * x) / sum(h * h)).item();
}

struct Curvature {
  double largest, smallest;  // of the eigenvalues' sizes
};

Curvature curvature(double w) {
  const Tensor sizes = abs(eigh(hessian(loss, tensor({w, best_outgoing(w)}, f64)))[0]);
  return {max(sizes).item(), min(sizes).item()};
}

// Steps of gradient descent from w = v = 1 until the loss is no more than `goal`; infinite where it takes more than
// `most`, or runs away.
double steps_to(double goal, double rate, std::int64_t most) {
  Tensor weights = parameter(ones({2}, f64));
  nn::Sgd descent(Tensors{weights}, {.lr = rate});
  for (std::int64_t step = 0; step < most; ++step) {
    descent.zero_grad();
    Tensor now = loss(weights);
    if (now.item() <= goal) return static_cast<double>(step);
    if (!(now.item() < 1e3)) break;
    now.backward();
    descent.step();
  }
  return std::numeric_limits<double>::infinity();
}

struct Descent {
  double steps, rate;
};

// At the rate of a grid that needs fewest: parts of 2 / (largest curvature at the goal), above which descent leaves it.
Descent quickest(double w, const Curvature& at, std::int64_t most) {
  const double goal = loss(tensor({w, best_outgoing(w)}, f64)).item();
  Descent best{std::numeric_limits<double>::infinity(), 0};
  for (const double part : {0.5, 0.75, 0.9, 0.98}) {
    const double rate = 2 * part / at.largest;
    const double steps = steps_to(goal, rate, std::isinf(best.steps) ? most : static_cast<std::int64_t>(best.steps));
    if (steps < best.steps) best = {steps, rate};
  }
  return best;
}

// The same with a skip connection, whose loss is mean (a x - x)^2: from a = 0 to the same goal.
double skip_steps(double goal) {
  const Tensor x = linspace(-1, 1, 65, f64);
  const auto skip_loss = [&](const Tensor& a) { return nn::mse(a * x, x); };
  Tensor a = parameter(zeros({1}, f64));
  nn::Sgd descent(Tensors{a}, {.lr = 1 / hessian(skip_loss, a).item()});
  for (int step = 0; step < 1000; ++step) {
    descent.zero_grad();
    Tensor now = skip_loss(a);
    if (now.item() <= goal) return step;
    now.backward();
    descent.step();
  }
  return std::numeric_limits<double>::infinity();
}

struct Cost {
  std::vector<double> scales = {}, condition = {};            // of the Hessian
  std::vector<double> descended = {}, steps = {}, skip = {};  // where descent was tried
};

// The condition number at all scales, the steps at those down to `last`.
Cost measure_cost(common::Study& study, const std::vector<double>& scales, double last, std::int64_t most) {
  Cost cost{scales};
  common::Table table{
      "The Hessian in (w, v), v being best for w, and gradient descent from w = v = 1 to the loss there",
      {"w", "largest error", "condition number", "best rate", "steps", "steps of a skip connection"}};
  for (const double w : scales) {
    const Curvature at = curvature(w);
    cost.condition.push_back(at.largest / at.smallest);
    std::vector<common::Cell> row{fmt::format("{:.3f}", w), largest_error(by_tanh, w, f64), cost.condition.back()};
    if (w > 0.999 * last) {
      const Descent descent = quickest(w, at, most);
      cost.descended.push_back(w), cost.steps.push_back(descent.steps);
      cost.skip.push_back(skip_steps(loss(tensor({w, best_outgoing(w)}, f64)).item()));
      row.insert(row.end(), {descent.rate, cost.steps.back(), cost.skip.back()});
    } else {
      row.insert(row.end(), {"", "not tried", ""});
    }
    table.add(row);
  }
  study.add(table);
  return cost;
}

void draw(common::Study& study, const Cost& cost) {
  const common::Axis scale{"weight w before the unit", true};
  common::Figure condition{"cost",
                           "Condition number of the Hessian in (w, v)",
                           scale,
                           {"largest / smallest size of an eigenvalue", true, 0.1, 1e13},
                           {{"hidden unit (w, v)", cost.scales, cost.condition}}};
  condition.series.push_back(
      {"skip connection", cost.scales, std::vector(cost.scales.size(), 1.0), {}, {}, common::Series::Look::line});
  condition.beside.push_back(
      {"steps",
       "Steps of gradient descent to the error of scale w",
       scale,
       {"steps at the best stable rate", true, 0.1, 1e7},
       {{"hidden unit (w, v)", cost.descended, cost.steps}, {"skip connection", cost.descended, cost.skip}}});
  study.add(condition);
}

void conclude(common::Study& study, const std::vector<Curve>& curves, const Cost& cost) {
  // Where the first term of the series in w is what counts.
  const double condition_slope = slope(cost.scales, cost.condition, 0.05, 0.3);
  const double steps_slope = slope(cost.descended, cost.steps, 0.2, 0.6);
  study.more()["cost"] = {{"w", cost.scales},
                          {"condition", cost.condition},
                          {"condition_slope", condition_slope},
                          {"descended", cost.descended},
                          {"steps", cost.steps},
                          {"steps_slope", steps_slope}};
  const Curve &single = curves[0], &twice = curves[1], &sigmoid_single = curves[2], &sigmoid_twice = curves[3];
  const double power = study.more()["error"][twice.name]["slope"];
  study.add(
      common::Effect{"a small weight before the unit and a large one after it imitate a skip connection over a "
                     "bounded range (Bishop 2006, 5.1)",
                     "no figure", fmt::format("error ~ w^{:.2f}, down to {:.1e}", power, least(twice.errors)),
                     std::abs(power - 2) < 0.1 && least(twice.errors) < 1e-6});
  study.verdict(fmt::format(
      "The error falls as w^{:.2f}. With tanh that goes on to the last digit, {:.1e} in f32 and {:.1e} in f64; a "
      "sigmoid, whose middle is not at 0, loses digits as its share of the output shrinks, and is never better than "
      "{:.1e} and {:.1e}: after that the error grows again. What it costs is in finding the weights: the Hessian's "
      "condition number goes as w^{:.1f} and the steps of gradient descent as w^{:.1f}: {:.0f} to be as good as w = "
      "{:.2f} allows, {:.0f} for w = {:.2f}, where a skip connection needs {:.0f}.",
      power, least(single.errors), least(twice.errors), least(sigmoid_single.errors), least(sigmoid_twice.errors),
      condition_slope, steps_slope, cost.steps.front(), cost.descended.front(), cost.steps.back(),
      cost.descended.back(), cost.skip.back()));
}

int main(int argc, char** argv) {
  common::Study study("imitate", "How well, and how dearly, does a hidden unit stand in for a skip connection?",
                      "v tanh(w x) with v = 1/w against x on [-1, 1]: the error over w in f32 and f64, the exact "
                      "Hessian in (w, v), and gradient descent. Nothing is drawn: seeds change nothing.");
  study.seeds = study.quick_seeds = 1;
  return study.run(argc, argv, [&] {
    const std::vector<Curve> curves = exactness(study, powers(1, 1e-8, std::pow(10, study.quick ? -0.25 : -0.125)));
    const double root = std::pow(2, -0.25);
    const Cost cost = study.quick ? measure_cost(study, powers(root, 0.05, root), std::sqrt(0.125), 100'000)
                                  : measure_cost(study, powers(root, 0.05, root), 0.25, 2'000'000);
    draw(study, cost);
    conclude(study, curves, cost);
  });
}

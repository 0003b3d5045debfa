// When does a skip layer help? A map over how linear the data is and how many rows there are: test error and steps of
// training of hidden units alone, and of the same beside a skip layer.
#include <CLI/CLI.hpp>
#include <cmath>
#include <optional>

#include <weft/weft.hpp>

#include "cells.hpp"
#include "common/parallel.hpp"
#include "common/study.hpp"
#include "mixture.hpp"

using namespace weft;

namespace {

// y = out tanh(hidden x + b) + c, and with the skip layer + skip x. The seed gives both nets the same hidden units.
struct Net : nn::Module {
  nn::Child<nn::Linear> hidden, out;
  std::optional<nn::Child<nn::Linear>> skip;

  Net(std::int64_t inputs, std::int64_t units, bool with_skip, std::uint64_t seed)
      : hidden(this, "hidden", inputs, units), out(this, "out", units, 1) {
    if (with_skip) skip.emplace(this, "skip", inputs, 1, nn::LinearOptions{.bias = false});
    to(f64);
    const NoGrad off;
    Generator generator(seed);
    for (const Tensor& weight : weights()) {
      Tensor values = weight;
      values.copy_((2.0 * rand(weight.shape(), f64, generator) - 1.0) / std::sqrt(static_cast<double>(weight.size(0))));
    }
    nn::zeros_(hidden->bias), nn::zeros_(out->bias);
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = out(tanh(hidden(x)));
    return skip ? y + (*skip)(x) : y;
  }
  Tensors weights() const {
    Tensors all;
    for (const auto& [name, p] : named_parameters())
      if (name.ends_with("weight")) all.push_back(p);
    return all;
  }
};

struct Setting {
  Mixture mixture;
  std::int64_t rows, hidden;
  bool skip;
  std::uint64_t seed;
  Net net() const { return Net(mixture.inputs, hidden, skip, seed); }
};

double error_of(Net& net, const nn::Dataset& rows) {
  const NoGrad off;
  return nn::mse(net(rows.x), rows.y).item();
}

// Least mean squared error and sum of squared weights, by L-BFGS over all rows.
double fit(Net& net, const nn::Dataset& train, double penalty, const nn::Dataset& unseen) {
  nn::Lbfgs optimiser(net, {.max_iter = 150, .tolerance_grad = 1e-6, .tolerance_change = 1e-9, .history_size = 20});
  optimiser.step([&] {
    net.zero_grad();
    Tensor loss = nn::mse(net(train.x), train.y);
    for (const Tensor& w : net.weights()) loss = loss + penalty * sum(square(w));
    loss.backward();
    return loss;
  });
  return error_of(net, unseen);
}

// With the penalty that does best on a quarter of the rows that was held back.
double test_error(const Setting& setting, const Rows& rows) {
  const auto [known, held_back] = nn::split(rows.train, {0.75, 0.25}, setting.seed);
  double best = 0, least = HUGE_VAL;
  for (const double penalty : {1e-4, 1e-3, 1e-2, 1e-1}) {
    Net net = setting.net();
    const double error = fit(net, known, penalty, held_back);
    if (error < least) least = error, best = penalty;
  }
  Net net = setting.net();
  return fit(net, rows.train, best, rows.test);
}

// Steps of Adam on all rows until the training error is so small, or the most that are made.
int steps_to(const Setting& setting, const nn::Dataset& train, double error, int most) {
  Net net = setting.net();
  nn::Adam optimiser(net, {.lr = 0.02});
  for (int step = 0; step < most; ++step) {
    optimiser.zero_grad();
    const Tensor loss = nn::mse(net(train.x), train.y);
    if (loss.item() <= error) return std::max(step, 1);
    loss.backward();
    optimiser.step();
  }
  return most;
}

struct Options {
  Grid grid;
  double reach = 0.1;
  int most_steps = 1000;
};

void run(common::Study& study, const Options& options) {
  std::vector<Cell> cells;
  const auto seeds = study.all_seeds();
  for (const double noise : options.grid.noises)
    for (const std::int64_t hidden : options.grid.hidden)
      for (const double share : options.grid.shares)
        for (const std::int64_t rows : options.grid.rows) {
          const std::vector<double> empty(seeds.size());
          cells.push_back({rows, hidden, share, noise, empty, empty, empty, empty});
        }
  common::in_parallel("cells", std::ssize(cells) * std::ssize(seeds), [&](std::int64_t i) {
    Cell& cell = cells[static_cast<std::size_t>(i / std::ssize(seeds))];
    const auto which = static_cast<std::size_t>(i % std::ssize(seeds));
    Setting setting{{.linear_share = cell.share, .noise = cell.noise}, cell.rows, cell.hidden, false, seeds[which]};
    const Rows rows = draw_rows(setting.mixture, cell.rows, 1000, seeds[which]);
    const double reach = cell.noise * cell.noise + options.reach;
    cell.mlp_error[which] = test_error(setting, rows);
    cell.mlp_steps[which] = steps_to(setting, rows.train, reach, options.most_steps);
    setting.skip = true;
    cell.skip_error[which] = test_error(setting, rows);
    cell.skip_steps[which] = steps_to(setting, rows.train, reach, options.most_steps);
  });
  report(study, options.grid, cells, options.reach, options.most_steps);
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study("when", "When does a skip layer help, and when does it not matter?",
                      "Trains hidden units alone and beside a skip layer on data of a known linear share, and maps the "
                      "difference in test error and in steps of training.");
  study.seeds = 10;
  study.quick_seeds = 5;
  Options options;
  const auto add = [&](const char* name, auto& list, const char* what, auto low, auto high) {
    return study.app().add_option(name, list, what)->delimiter(',')->check(CLI::Range(low, high));
  };
  Grid& grid = options.grid;
  add("--rows", grid.rows, "rows to learn from [50,100,200,500,1000,2000, quick 50,200,800]", 20, 1'000'000);
  add("--shares", grid.shares, "linear shares [0,0.25,0.5,0.75,0.9,1, quick 0,0.5,1]", 0.0, 1.0);
  add("--noises", grid.noises, "the noise's standard deviations, the signal's being 1 [0.1,0.5, quick 0.3]", 0.0,
      100.0);
  add("--hidden", grid.hidden, "hidden units [4,16, quick 8]", 1, 10'000);
  study.app()
      .add_option("--reach", options.reach, "training error above the noise's variance that steps are counted to")
      ->check(CLI::PositiveNumber);
  study.app()
      .add_option("--most-steps", options.most_steps, "then a net counts as not getting there")
      ->check(CLI::Range(1, 1'000'000));
  return study.run(argc, argv, [&] {
    const bool quick = study.quick;
    if (grid.rows.empty())
      grid.rows =
          quick ? std::vector<std::int64_t>{50, 200, 800} : std::vector<std::int64_t>{50, 100, 200, 500, 1000, 2000};
    if (grid.shares.empty())
      grid.shares = quick ? std::vector<double>{0, 0.5, 1} : std::vector<double>{0, 0.25, 0.5, 0.75, 0.9, 1};
    if (grid.noises.empty()) grid.noises = quick ? std::vector<double>{0.3} : std::vector<double>{0.1, 0.5};
    if (grid.hidden.empty()) grid.hidden = quick ? std::vector<std::int64_t>{8} : std::vector<std::int64_t>{4, 16};
    run(study, options);
  });
}

// Does an L1 penalty on the hidden units alone find out that a table needs none of them? A net with a skip layer, the
// weights of its hidden units penalised and those of the skip layer not, on a straight table and on Friedman's bent
// one.
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>

#include "../common/friedman.hpp"
#include "../common/statistics.hpp"
#include "../common/study.hpp"

using namespace weft;

constexpr std::int64_t inputs = 10, units = 16;

struct Net : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", inputs, units};
  nn::Child<nn::Linear> out{this, "out", units, 1, {.bias = false}};
  nn::Child<nn::Linear> skip{this, "skip", inputs, 1};
  Net() { to(f64); }
  Tensor forward(const Tensor& x) override { return out(tanh(hidden(x))) + skip(x); }
};

// Gradient descent over all rows, after each step of which the penalised weights move towards 0 and stop there (the
// proximal step): what it comes to rest at is a minimum of mean squared error + penalty * sum |weight|.
nn::Sgd optimiser_of(const Net& net, double penalty) {
  constexpr double rate = 0.1;
  return nn::Sgd({{{net.hidden->weight, net.out->weight}, {.lr = rate, .l1 = penalty}},
                  {{net.hidden->bias, net.skip->weight, net.skip->bias}, {.lr = rate}}});
}

// Until nothing moves any more, but for so many steps at most.
void train(Net& net, const nn::Dataset& rows, double penalty, int steps) {
  nn::Sgd optimiser = optimiser_of(net, penalty);
  Tensor before;
  for (int step = 0; step < steps; ++step) {
    if (step % 500 == 0) {
      Tensor now = nn::parameters_to_vector(net.parameters()).detach();
      if (before.defined() && max(abs(now - before)).item() < 1e-12) return;
      before = now;
    }
    optimiser.zero_grad();
    nn::mse(net(rows.x), rows.y).backward();
    optimiser.step();
  }
}

// A unit is dead when what goes out of it, or all that comes into it, is exactly 0.
int units_alive(const Net& net) {
  NoGrad off;
  const Tensor in = reshape(any(net.hidden->weight, 0), {-1}), out = reshape(any(net.out->weight, 1), {-1});
  return static_cast<int>(sum(logical_and(in, out).to(i64)).item());
}

double mean_square(const Tensor& difference) { return mean(square(difference)).item(); }

struct Data {
  std::string name;
  nn::Dataset (*make)(std::int64_t, DType, Generator&);
};

struct Result {
  double alive, error, linear_error;  // errors on unseen rows, in variances of the target
  double off_linear;                  // the largest difference of skip weights and bias from least squares
};

// One net at one penalty, beside least squares of the same rows.
Result measure(const Data& data, double penalty, std::uint64_t seed, std::int64_t rows, int steps) {
  manual_seed(seed);
  Generator draws(seed);
  nn::Dataset train_rows = data.make(rows, f64, draws), unseen = data.make(2000, f64, draws);
  common::standardise(train_rows, unseen);
  const auto with_one = [](const Tensor& x) { return concat({x, ones({x.size(0), 1}, f64)}); };
  const Tensor least_squares = lstsq(with_one(train_rows.x), train_rows.y);

  Net net;
  train(net, train_rows, penalty, steps);
  NoGrad off;
  const Tensor linear = concat({net.skip->weight, reshape(net.skip->bias, {1, 1})}, 0);
  return {static_cast<double>(units_alive(net)), mean_square(net(unseen.x) - unseen.y),
          mean_square(matmul(with_one(unseen.x), least_squares) - unseen.y), max(abs(linear - least_squares)).item()};
}

std::vector<double> each(const std::vector<Result>& results, double Result::*what) {
  std::vector<double> values;
  for (const Result& result : results) values.push_back(result.*what);
  return values;
}

// A line over the penalties with the range over the seeds.
common::Series series(const std::string& label, const std::vector<double>& x,
                      const std::vector<std::vector<Result>>& results, double Result::*what) {
  common::Series line{label, x, {}};
  for (const std::vector<Result>& at : results) {
    const std::vector<double> values = each(at, what);
    line.y.push_back(common::mean(values));
    line.low.push_back(*std::min_element(values.begin(), values.end()));
    line.high.push_back(*std::max_element(values.begin(), values.end()));
  }
  return line;
}

struct Settings {
  std::vector<double> penalties;
  double stated = 0.003;  // of the verdict
  std::int64_t rows = 300;
  int steps = 0;
};

// Of one table: a row for each penalty. Gives the results at each.
std::vector<std::vector<Result>> sweep(common::Study& study, const Data& data, const Settings& settings,
                                       nn::Progress& progress, std::int64_t& done) {
  common::Table table{"On the " + data.name + " table (errors: unseen rows, in variances of the target)",
                      {"penalty", "units alive of 16", "error", "least squares' error", "largest difference from it"}};
  std::vector<std::vector<Result>> all;
  for (const double penalty : settings.penalties) {
    std::vector<Result> results;
    for (const std::uint64_t seed : study.all_seeds()) {
      results.push_back(measure(data, penalty, seed, settings.rows, settings.steps));
      progress.update(++done);
    }
    const auto spread = [&](double Result::*what) { return common::Spread(each(results, what)); };
    table.add({fmt::format("{:g}", penalty), spread(&Result::alive), spread(&Result::error),
               spread(&Result::linear_error), spread(&Result::off_linear)});
    all.push_back(std::move(results));
  }
  study.add(table);
  return all;
}

std::string range(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *low == *high ? fmt::format("{:g}", *low) : fmt::format("{:g} to {:g}", *low, *high);
}

void conclude(common::Study& study, double stated, const std::vector<Result>& straight,
              const std::vector<Result>& bent) {
  const std::vector<double> alive = each(straight, &Result::alive), off = each(straight, &Result::off_linear);
  const std::vector<double> alive_bent = each(bent, &Result::alive);
  study.more() = {{"penalty", stated},
                  {"straight", {{"alive", alive}, {"off_linear", off}}},
                  {"bent",
                   {{"alive", alive_bent},
                    {"error", each(bent, &Result::error)},
                    {"linear_error", each(bent, &Result::linear_error)}}}};
  const double largest = *std::max_element(off.begin(), off.end());
  const bool none = *std::max_element(alive.begin(), alive.end()) == 0;
  const bool stay = *std::min_element(alive_bent.begin(), alive_bent.end()) > 0;
  study.add(common::Effect{"on straight data every hidden unit goes to exactly 0 and least squares remains", "-",
                           fmt::format("units alive: {}; largest difference {:.1e}", range(alive), largest),
                           none && largest < 1e-6});
  study.add(common::Effect{"on bent data hidden units stay", "-", "units alive: " + range(alive_bent), stay});
  study.verdict(fmt::format(
      "At the penalty {:g} the net keeps {} of its {} hidden units on the straight table, and its skip layer is within "
      "{:.1e} of least squares{}. On the bent table it keeps {} units{}, and its error on unseen rows is {:.3f} of the "
      "target's variance, where least squares has {:.3f}. {}",
      stated, range(alive), units, largest,
      none && largest < 1e-6 ? ": the linear model is what is left, to the last digits" : "", range(alive_bent),
      stay ? "" : " (so few that the penalty is too strong for it)", common::mean(each(bent, &Result::error)),
      common::mean(each(bent, &Result::linear_error)),
      none && stay
          ? "So the penalty tells the two apart by itself: what it leaves says whether hidden units are needed."
          : "So this penalty does not tell the two apart."));
}

int main(int argc, char** argv) {
  common::Study study(
      "prune", "Does L1 on the hidden units alone leave the linear model where that is all there is?",
      "A net with a skip layer on ten inputs is trained to rest by proximal gradient descent; only its "
      "16 hidden units' weights are penalised. On a straight table and on Friedman #1, over penalties.");
  Settings settings;
  study.app()
      .add_option("--penalty", settings.stated, "the penalty that the verdict is about")
      ->check(CLI::Range(1e-6, 1.0));
  study.app().add_option("--rows", settings.rows, "rows to learn from")->check(CLI::Range(20, 100000));
  return study.run(argc, argv, [&] {
    settings.steps = study.quick ? 10000 : 60000;
    settings.penalties = study.quick ? std::vector{3e-4, 0.001, 0.003, 0.01, 0.1}
                                     : std::vector{1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1};
    settings.penalties.push_back(settings.stated);
    std::sort(settings.penalties.begin(), settings.penalties.end());
    settings.penalties.erase(std::unique(settings.penalties.begin(), settings.penalties.end()),
                             settings.penalties.end());
    const auto stated = static_cast<std::size_t>(
        std::find(settings.penalties.begin(), settings.penalties.end(), settings.stated) - settings.penalties.begin());
    nn::Progress progress("nets", 2 * study.seeds * static_cast<std::int64_t>(settings.penalties.size()));
    std::int64_t done = 0;
    const auto straight = sweep(study, {"straight", common::straight_friedman1}, settings, progress, done);
    const auto bent = sweep(study, {"bent (Friedman #1)", common::friedman1}, settings, progress, done);

    const std::vector<double>& x = settings.penalties;
    const common::Axis penalty{"penalty on the hidden units' weights (logarithmic)", true};
    common::Figure alive{"alive", "Hidden units that are left", penalty, {"units alive, of 16", false, -0.5, 16.5}, {}};
    alive.series = {series("straight table", x, straight, &Result::alive),
                    series("bent table", x, bent, &Result::alive)};
    common::Figure error{
        "error", "Error on unseen rows", penalty, {"mean squared error, variances of the target", true}, {}};
    error.series = {series("straight table", x, straight, &Result::error),
                    series("bent table", x, bent, &Result::error),
                    series("straight, least squares", x, straight, &Result::linear_error),
                    series("bent, least squares", x, bent, &Result::linear_error)};
    for (std::size_t i = 2; i < 4; ++i) {
      error.series[i].look = common::Series::Look::line;
      error.series[i].low.clear(), error.series[i].high.clear();
    }
    alive.beside.push_back(error);
    study.add(alive);
    conclude(study, settings.stated, straight[stated], bent[stated]);
  });
}

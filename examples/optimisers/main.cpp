// Is Adam, or any other optimiser, barred by a skip layer? Six optimisers on nets with and without shortcuts, each at
// the best learning rate of a small grid: what they reach, and how soon.
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <weft/weft.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "../common/friedman.hpp"
#include "../common/statistics.hpp"
#include "../common/study.hpp"

using namespace weft;

// ---- the nets ----

// One hidden layer, and beside it (or not) a skip layer from the inputs to the output. Without, it is there and not
// used, so that the hidden layer starts with the same weights.
struct Mlp : nn::Module {
  nn::Child<nn::Linear> hidden{this, "hidden", 10, 16}, out{this, "out", 16, 1}, skip{this, "skip", 10, 1};
  const bool skipped;
  explicit Mlp(bool with_skip) : skipped(with_skip) {}
  Tensor forward(const Tensor& x) override {
    Tensor y = out(tanh(hidden(x)));
    return skipped ? y + skip(x) : y;
  }
};

// Ten layers of 32, each added to what goes into it (or not).
nn::ModulePtr deep_mlp(bool skipped) {
  auto net = std::make_shared<nn::Sequential>(nn::Linear(49, 32));
  for (int layer = 0; layer < 10; ++layer) {
    auto body = nn::make<nn::Sequential>(nn::Linear(32, 32), nn::ReLU());
    net->append(skipped ? nn::make<nn::Residual>(body) : body);
  }
  net->append(nn::make<nn::Linear>(32, 10));
  return net;
}

// ---- the tasks: a loss over all rows at once, so that each optimiser sees the same function ----

struct Task {
  std::string name, loss_name;
  nn::Dataset rows;
  nn::ModulePtr (*net)(bool skipped);
  Tensor (*loss)(const Tensor& output, const Tensor& target);
  double goal;  ///< the loss whose steps are counted
};

Task table_task() {
  Generator draws(1991);
  nn::Dataset rows = common::friedman1(300, f32, draws), same = rows;
  common::standardise(rows, same);
  return {"table",
          "mean squared error",
          rows,
          [](bool skipped) { return nn::make<Mlp>(skipped); },
          [](const Tensor& y, const Tensor& target) { return nn::mse(y, target); },
          0.15};
}

// 7 x 7 pixels, each the mean of 4 x 4.
Task image_task(const std::string& directory, std::int64_t count) {
  nn::Dataset images = nn::head(nn::fashion_mnist(directory, nn::Split::train), count);
  images.x = reshape(mean(reshape(images.x, {count, 7, 4, 7, 4}), {2, 4}), {count, 49});
  images.x = nn::Standardizer(images.x).apply(images.x);
  return {"images",
          "cross-entropy",
          images,
          deep_mlp,
          [](const Tensor& y, const Tensor& target) { return nn::cross_entropy(y, target); },
          0.6};
}

// ---- the optimisers ----

// The least loss so far after each evaluation of loss and gradient.
using Curve = std::vector<double>;

class Losses {
 public:
  Losses(nn::Module& net, const Task& task) : net_(net), task_(task) {}
  // The loss, its gradients left with the parameters.
  Tensor operator()() {
    net_.zero_grad();
    Tensor loss = task_.loss(net_(task_.rows.x), task_.rows.y);
    loss.backward();
    const double least = curve_.empty() ? std::numeric_limits<double>::infinity() : curve_.back();
    curve_.push_back(loss.item() < least ? loss.item() : least);
    return loss;
  }
  // As long as the budget: what ended sooner stays where it is.
  Curve curve(std::size_t evaluations) const {
    Curve curve = curve_;
    curve.resize(evaluations, curve.back());
    return curve;
  }

 private:
  nn::Module& net_;
  const Task& task_;
  Curve curve_;
};

template <class Optimiser, class Options>
void run_steps(nn::Module& net, Losses& losses, const Options& options, int evaluations) {
  Optimiser optimiser(net, options);
  for (int i = 0; i < evaluations; ++i) losses(), optimiser.step();
}

void run_lbfgs(nn::Module& net, Losses& losses, double lr, int evaluations) {
  nn::Lbfgs optimiser(net, {.lr = lr, .max_iter = evaluations, .max_eval = evaluations});
  optimiser.step([&] { return losses(); });
}

struct Method {
  std::string name;
  std::vector<double> rates;
  void (*run)(nn::Module& net, Losses& losses, double lr, int evaluations);
};

std::vector<Method> methods() {
  const std::vector<double> large{0.03, 0.1, 0.3, 1.0}, small{0.001, 0.003, 0.01, 0.03, 0.1};
  return {
      {"Sgd", large,
       [](auto& net, auto& l, double lr, int n) { run_steps<nn::Sgd>(net, l, nn::SgdOptions{.lr = lr}, n); }},
      {"Sgd, momentum 0.9", large,
       [](auto& net, auto& l, double lr, int n) {
         run_steps<nn::Sgd>(net, l, nn::SgdOptions{.lr = lr, .momentum = 0.9}, n);
       }},
      {"Adam", small,
       [](auto& net, auto& l, double lr, int n) { run_steps<nn::Adam>(net, l, nn::AdamOptions{.lr = lr}, n); }},
      {"AdamW", small,
       [](auto& net, auto& l, double lr, int n) { run_steps<nn::AdamW>(net, l, nn::AdamWOptions{.lr = lr}, n); }},
      {"RmsProp", small,
       [](auto& net, auto& l, double lr, int n) { run_steps<nn::RmsProp>(net, l, nn::RmsPropOptions{.lr = lr}, n); }},
      {"L-BFGS", {0.3, 1.0}, run_lbfgs}};
}

Curve train(const Task& task, bool skipped, const Method& method, double rate, std::uint64_t seed, int evaluations) {
  manual_seed(seed);
  const nn::ModulePtr net = task.net(skipped);
  Losses losses(*net, task);
  method.run(*net, losses, rate, evaluations);
  return losses.curve(static_cast<std::size_t>(evaluations));
}

// ---- what came out ----

struct Result {
  double rate = 0;
  std::vector<Curve> curves = {};  // one a seed
  std::vector<double> finals() const {
    std::vector<double> values;
    for (const Curve& curve : curves) values.push_back(curve.back());
    return values;
  }
};

// The rate is the best on three seeds of its own: one that leaves the rails on any of them is not chosen.
Result measure(const common::Study& study, const Task& task, bool skipped, const Method& method, int evaluations) {
  Result result;
  double least = std::numeric_limits<double>::infinity();
  for (const double rate : method.rates) {
    double loss = 0;
    for (std::uint64_t i = 0; i < 3; ++i)
      loss += train(task, skipped, method, rate, study.seed + 1'000'000 + i, evaluations).back();
    if (loss < least) least = loss, result.rate = rate;
  }
  if (result.rate == 0) fail("optimisers: ", method.name, " reached no finite loss at any rate");
  for (const std::uint64_t seed : study.all_seeds())
    result.curves.push_back(train(task, skipped, method, result.rate, seed, evaluations));
  return result;
}

// Evaluations to the goal; words where a seed does not reach it.
common::Cell steps_to(double goal, const Result& result) {
  std::vector<double> steps;
  for (const Curve& curve : result.curves) {
    const auto at = std::find_if(curve.begin(), curve.end(), [&](double loss) { return loss <= goal; });
    if (at != curve.end()) steps.push_back(static_cast<double>(at - curve.begin() + 1));
  }
  if (steps.size() == result.curves.size()) return common::Spread(steps);
  return fmt::format("{} of {} seeds", steps.size(), result.curves.size());
}

common::Series series(const std::string& label, const Result& result) {
  common::Series line{label, {}, {}};
  line.look = common::Series::Look::line;
  for (std::size_t i = 0; i < result.curves.front().size(); ++i) {
    std::vector<double> at;
    for (const Curve& curve : result.curves) at.push_back(curve[i]);
    line.x.push_back(static_cast<double>(i + 1)), line.y.push_back(common::median(at));
    line.low.push_back(*std::min_element(at.begin(), at.end()));
    line.high.push_back(*std::max_element(at.begin(), at.end()));
  }
  return line;
}

struct Comparison {
  std::string task, method;
  double plain, skipped;     // mean losses at the end
  std::size_t halved, runs;  // of the skipped net: how many of its runs more than halve the loss
};

common::Figure figure(const Task& task, const std::string& which) {
  return {task.name + (which == "plain" ? "_plain" : "_shortcuts"),
          task.name + ", " + which,
          {"evaluations of loss and gradient"},
          {"least training loss so far (median): " + task.loss_name, true},
          {}};
}

// One range of powers of ten for both diagrams.
void share_axis(common::Figure& one, common::Figure& other) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const common::Figure* figure : {&one, &other})
    for (const common::Series& line : figure->series) {
      low = std::min(low, *std::min_element(line.low.begin(), line.low.end()));
      high = std::max(high, *std::max_element(line.high.begin(), line.high.end()));
    }
  const double bottom = std::floor(std::log10(low)), top = std::ceil(std::log10(high));
  for (common::Figure* figure : {&one, &other}) {
    figure->y.from = std::pow(10, bottom);
    figure->y.to = std::pow(10, top + std::ceil((top - bottom) / 2));  // with room for the legend
  }
}

std::vector<Comparison> compare(common::Study& study, const Task& task, int evaluations, nn::Progress& progress,
                                std::int64_t& done) {
  common::Table table{fmt::format("{}: {} over {} rows, after {} evaluations", task.name, task.loss_name,
                                  task.rows.size(), evaluations),
                      {"optimiser", "net", "rate", "final loss", fmt::format("evaluations to {:g}", task.goal)}};
  common::Figure plain_figure = figure(task, "plain"), skip_figure = figure(task, "with shortcuts");
  std::vector<Comparison> pairs;
  for (const Method& method : methods()) {
    const Result plain = measure(study, task, false, method, evaluations);
    const Result skipped = measure(study, task, true, method, evaluations);
    table.add({method.name, "plain", plain.rate, common::Spread(plain.finals()), steps_to(task.goal, plain)});
    table.add({"", "shortcuts", skipped.rate, common::Spread(skipped.finals()), steps_to(task.goal, skipped)});
    plain_figure.series.push_back(series(method.name, plain));
    skip_figure.series.push_back(series(method.name, skipped));
    std::size_t halved = 0;
    std::vector<double> first;
    for (const Curve& curve : skipped.curves)
      halved += curve.back() < curve.front() / 2 ? 1 : 0, first.push_back(curve.front());
    pairs.push_back({task.name, method.name, common::mean(plain.finals()), common::mean(skipped.finals()), halved,
                     skipped.curves.size()});
    study.more()[task.name][method.name] = {{"first", first}, {"plain", plain.finals()}, {"skipped", skipped.finals()}};
    progress.update(++done);
  }
  share_axis(plain_figure, skip_figure);
  plain_figure.beside.push_back(skip_figure);
  study.add(table);
  study.add(plain_figure);
  return pairs;
}

void conclude(common::Study& study, const std::vector<Comparison>& pairs) {
  std::string worse, adam, lost;
  std::size_t halved = 0, runs = 0;
  for (const Comparison& pair : pairs) {
    halved += pair.halved, runs += pair.runs;
    if (pair.halved < pair.runs)
      lost += fmt::format("{}{} ({}) {} of {}", lost.empty() ? "" : ", ", pair.method, pair.task,
                          pair.runs - pair.halved, pair.runs);
    if (pair.skipped > pair.plain) worse += (worse.empty() ? "" : ", ") + pair.method + " (" + pair.task + ")";
    if (pair.method == "Adam")
      adam += fmt::format("{}{} {:.3g} with shortcuts and {:.3g} without", adam.empty() ? "" : ", ", pair.task,
                          pair.skipped, pair.plain);
  }
  study.verdict(fmt::format(
      "{} of {} runs of an optimiser on a net with shortcuts more than halve its loss{}. Adam's final loss: {}. A "
      "higher "
      "final loss with shortcuts than without, in the mean over the seeds: {}.",
      halved, runs, lost.empty() ? "" : "; at the rate that was best on other seeds these leave the rails: " + lost,
      adam, worse.empty() ? "none" : worse));
}

int main(int argc, char** argv) {
  common::Study study(
      "optimisers", "Is Adam, or any other optimiser, barred by a skip layer?",
      "Six optimisers, each at its best rate of a small grid (chosen on seeds of their own), on a table "
      "(a hidden layer, with and without a skip layer) and on small images (ten layers, residual or "
      "plain): training loss over all rows at once.");
  int evaluations = 0;
  std::string images = "/usr/share/datasets/fashion-mnist";
  study.app().add_option("--images", images, "directory of Fashion-MNIST's files");
  study.app()
      .add_option("--evaluations", evaluations, "of loss and gradient in each run [500, quick: 200]")
      ->check(CLI::Range(1, 1'000'000));
  return study.run(argc, argv, [&] {
    if (evaluations == 0) evaluations = study.quick ? 200 : 500;
    const Task tasks[] = {table_task(), image_task(images, study.quick ? 256 : 1000)};
    nn::Progress progress("optimisers", 2 * static_cast<std::int64_t>(methods().size()));
    std::int64_t done = 0;
    std::vector<Comparison> pairs;
    for (const Task& task : tasks)
      for (const Comparison& pair : compare(study, task, evaluations, progress, done)) pairs.push_back(pair);
    conclude(study, pairs);
  });
}

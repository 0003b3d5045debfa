// Is anything better on the shortcut than nothing? See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include <weft/weft.hpp>

#include "common/images.hpp"
#include "common/statistics.hpp"
#include "common/study.hpp"

namespace nn = weft::nn;
using weft::Tensor;

namespace {

enum class Form {
  identity,
  half,           // x / 2 + F(x) / 2
  exclusive,      // (1 - g) x + g F(x), g = sigmoid(a 1x1 convolution of x)
  shortcut_gate,  // (1 - g) x + F(x)
  convolution,    // a 1x1 convolution of x + F(x)
  dropout,        // dropout(x) + F(x)
  pre_activation  // x + F(x), with batch norm and ReLU before each convolution and none after the sum
};

struct Shortcut {
  const char* name;
  Form form;
  double gate_bias;
  const char* published;  // test error of ResNet-110 on CIFAR-10, %
};

// He et al., "Identity mappings in deep residual networks", arXiv 1603.05027, tables 1 and 2.
constexpr Shortcut shortcuts[] = {
    {"identity", Form::identity, 0, "6.61"},
    {"scaled by 0.5", Form::half, 0, "12.35"},
    {"exclusive gate, bias -6", Form::exclusive, -6, "8.70"},
    {"shortcut-only gate, bias 0", Form::shortcut_gate, 0, "12.86"},
    {"shortcut-only gate, bias -6", Form::shortcut_gate, -6, "6.91"},
    {"1x1 convolution", Form::convolution, 0, "12.22"},
    {"dropout 0.5", Form::dropout, 0, "fails"},
    {"identity, pre-activation", Form::pre_activation, 0, "6.37"},
};

// Where width and stride change, the shortcut is option A's with all kinds: what is studied is on the others.
struct Block : nn::Module {
  Form form;
  bool same;
  nn::Child<nn::Conv2d> conv1, conv2;
  // The gate, or the convolution on the shortcut. All kinds have it, used or not: so their branches start alike.
  nn::Child<nn::Conv2d> beside;
  nn::Child<nn::BatchNorm> bn1, bn2;
  nn::Child<nn::ZeroPad> pad;

  Block(std::int64_t in, std::int64_t out, std::int64_t stride, const Shortcut& shortcut)
      : form(shortcut.form),
        same(in == out),
        conv1{this, "conv1", in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}},
        conv2{this, "conv2", out, out, {.kernel = 3, .padding = 1, .bias = false}},
        beside{this, "beside", out, out, {.kernel = 1}},
        bn1{this, "bn1", form == Form::pre_activation ? in : out},
        bn2{this, "bn2", out},
        pad{this, "pad", in, out, stride} {
    nn::kaiming_(conv1->weight);
    nn::kaiming_(conv2->weight);
    nn::kaiming_(beside->weight);
    nn::constant_(beside->bias, shortcut.gate_bias);
  }

  Tensor branch(const Tensor& x) {
    if (form == Form::pre_activation) return conv2(relu(bn2(conv1(relu(bn1(x))))));
    return bn2(conv2(relu(bn1(conv1(x)))));
  }

  Tensor sum(const Tensor& x) {
    if (!same) return pad(x) + branch(x);
    switch (form) {
      case Form::half: return 0.5 * x + 0.5 * branch(x);
      case Form::convolution: return beside(x) + branch(x);
      case Form::dropout: return weft::dropout(x, 0.5, is_training()) + branch(x);
      case Form::shortcut_gate: return (1.0 - sigmoid(beside(x))) * x + branch(x);
      case Form::exclusive: {
        const Tensor gate = sigmoid(beside(x));
        return (1.0 - gate) * x + gate * branch(x);
      }
      default: return x + branch(x);
    }
  }

  Tensor forward(const Tensor& x) override { return form == Form::pre_activation ? sum(x) : relu(sum(x)); }
};

struct Net : nn::Module {
  bool pre_activation;
  nn::Child<nn::Conv2d> first;
  nn::Child<nn::BatchNorm> norm;  // after the first convolution, or, with pre-activation, after the last block
  nn::Child<nn::Sequential> blocks{this, "blocks"};
  nn::Child<nn::Linear> output{this, "output", 64, 10};

  Net(std::int64_t channels, std::int64_t depth, const Shortcut& shortcut)
      : pre_activation(shortcut.form == Form::pre_activation),
        first{this, "first", channels, 16, {.kernel = 3, .padding = 1, .bias = false}},
        norm{this, "norm", pre_activation ? 64 : 16} {
    nn::kaiming_(first->weight);
    std::int64_t width = 16;
    for (const std::int64_t to : {16, 32, 64})
      for (std::int64_t i = 0; i < (depth - 2) / 6; ++i) {
        blocks->append(std::make_shared<Block>(width, to, width == to ? 1 : 2, shortcut));
        width = to;
      }
  }

  Tensor forward(const Tensor& x) override {
    Tensor h = first(x);
    if (!pre_activation) h = relu(norm(h));
    h = blocks(h);
    if (pre_activation) h = relu(norm(h));
    return output(global_avg_pool(h));
  }
};

struct Scores {
  std::vector<double> train, test;  // errors in percent, one a seed
};

Scores run(const Shortcut& shortcut, std::int64_t depth, const common::ImageSets& data, const common::Recipe& recipe,
           const std::vector<std::uint64_t>& seeds) {
  Scores scores;
  for (const std::uint64_t seed : seeds) {
    weft::manual_seed(seed);
    Net net(data.channels(), depth, shortcut);
    const auto epochs = common::train(net, data, recipe, seed, fmt::format("{}, seed {}", shortcut.name, seed));
    scores.train.push_back(epochs.back().error);
    scores.test.push_back(common::evaluate(net, data.test).error);
    fmt::print(stderr, "{}, seed {}: test error {:.2f} %\n", shortcut.name, seed, scores.test.back());
  }
  return scores;
}

std::vector<double> differences(const Scores& a, const Scores& b) {
  std::vector<double> result;
  for (std::size_t i = 0; i < a.test.size(); ++i) result.push_back(a.test[i] - b.test[i]);
  return result;
}

common::Table table_of(const std::vector<Scores>& all, std::int64_t depth, const common::ImageSets& data) {
  common::Table table{
      fmt::format("{}, nets of {} layers", data.name, depth),
      {"shortcut", "training error, %", "test error, %", "above identity's", "ResNet-110 on CIFAR-10, %"}};
  for (std::size_t i = 0; i < all.size(); ++i)
    table.add({shortcuts[i].name, common::Spread(all[i].train), common::Spread(all[i].test),
               common::Spread(differences(all[i], all[0])), shortcuts[i].published});
  return table;
}

common::Figure figure_of(const std::vector<Scores>& all) {
  common::Figure figure{"shortcuts", "Error by what is on the shortcut", {""}, {"error, %"}, {}};
  std::vector<double> x;
  std::vector<common::Spread> train, test;
  for (std::size_t i = 0; i < all.size(); ++i) {
    figure.x_names.emplace_back(shortcuts[i].name);
    x.push_back(static_cast<double>(i));
    train.emplace_back(all[i].train);
    test.emplace_back(all[i].test);
  }
  figure.series = {common::with_spread("test", x, test, common::Series::Look::points),
                   common::with_spread("training", x, train, common::Series::Look::points)};
  for (const common::Spread& error : test) figure.y.to = std::max(figure.y.to, 1.4 * (error.mean + error.deviation));
  figure.level_lines = {test[0].mean};
  return figure;
}

// Whether it is more than chance; two seeds can agree by accident, so from three on.
bool clear(const std::vector<double>& more) { return more.size() > 2 && common::paired(more).significant(); }

// What He et al. found of a shortcut against the identity, and whether it is so here.
void add_effect(common::Study& study, const Shortcut& shortcut, const std::vector<double>& more) {
  const bool worse_there = shortcut.form != Form::pre_activation;
  const double mean = common::mean(more);
  study.add(common::Effect{fmt::format("{} is {} than the identity", shortcut.name, worse_there ? "worse" : "better"),
                           fmt::format("{} against 6.61 %", shortcut.published),
                           fmt::format("{:+.1f} ± {:.1f} points", mean, common::standard_deviation(more)),
                           clear(more) && (mean > 0) == worse_there});
}

void conclude(common::Study& study, const std::vector<Scores>& all) {
  std::vector<std::string> better, unclear, worse;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const std::vector<double> more = differences(all[i], all[0]);
    auto& names = !clear(more) ? unclear : common::mean(more) < 0 ? better : worse;
    names.push_back(fmt::format("{} ({:+.1f})", shortcuts[i].name, common::mean(more)));
    add_effect(study, shortcuts[i], more);
  }
  for (std::size_t i = 0; i < all.size(); ++i) study.more()["test_error"][shortcuts[i].name] = all[i].test;
  const auto list = [](const std::vector<std::string>& names) {
    return names.empty() ? std::string("none") : fmt::format("{}", fmt::join(names, ", "));
  };
  study.verdict(fmt::format(
      "The identity has {:.1f} % test error. Clearly worse, in points (paired t-test, {} seeds, p < 0.05 each by "
      "itself): {}. Clearly better: {}. No clear difference: {}.{}",
      common::mean(all[0].test), all[0].test.size(), list(worse), list(better), list(unclear),
      all[0].test.size() < 3 ? " With fewer than three seeds nothing is called clear."
      : better.empty() ? " Nothing on the shortcut is clearly better than leaving it alone, as He et al. conclude."
                       : ""));
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study(
      "shortcuts", "Is anything better on the shortcut than nothing?",
      "Trains small residual nets that differ in what their shortcuts do (scaling, gates, a convolution, "
      "dropout) and compares test errors: table 1 of He et al. 2016, arXiv 1603.05027.");
  study.seeds = 5;
  study.quick_seeds = 3;
  common::ImageOptions images;
  images.add_to(study.app());
  std::int64_t depth = 0;
  int epochs = 0;
  study.app().add_option("--depth", depth, "layers, 6n + 2; 0: 20")->check([](const std::string& text) {
    const long given = std::strtol(text.c_str(), nullptr, 10);
    return given == 0 || (given >= 8 && given % 6 == 2) ? "" : "needs 8, 14, 20, 26, ...";
  });
  study.app()
      .add_option("--epochs", epochs, "passes over the images; 0: as many as fit")
      ->check(CLI::NonNegativeNumber);
  return study.run(argc, argv, [&] {
    if (depth == 0) depth = study.quick ? 14 : 20;
    const common::ImageSets data = common::read_images(
        images.or_else(study.quick ? common::ImageOptions{.train = 600, .test = 1000, .shrink = 2}
                                   : common::ImageOptions{.train = 3000, .test = 4000, .shrink = 2}));
    const common::Recipe recipe{.epochs = epochs > 0 ? epochs : study.quick ? 5 : 10};
    std::vector<Scores> all;
    for (const Shortcut& shortcut : shortcuts) all.push_back(run(shortcut, depth, data, recipe, study.all_seeds()));
    study.add(table_of(all, depth, data));
    study.add(figure_of(all));
    conclude(study, all);
  });
}

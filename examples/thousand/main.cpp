// What does a net of a thousand layers cost, and does it train? See --help.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include <weft/weft.hpp>

#include "common/images.hpp"
#include "common/statistics.hpp"
#include "common/study.hpp"

namespace nn = weft::nn;
using Clock = std::chrono::steady_clock;
using weft::Tensor;

namespace {

struct Net {
  std::int64_t depth;
  bool pre_activation;

  std::string name() const { return fmt::format("{}ResNet-{}", pre_activation ? "pre-activation " : "", depth); }
  nn::ModulePtr make(const common::ImageSets& data) const {
    return nn::resnet_cifar(depth, nn::ShortcutOption::A, pre_activation, data.channels());
  }
  std::int64_t blocks_a_stage() const { return (depth - 2) / 6; }
};

// How a step keeps what backward needs.
struct Way {
  const char* name;
  bool segments;   // runs of blocks keep only what goes into them (Sequential::checkpoint_every)
  bool recompute;  // batch norm's and ReLU's results are made again (weft::Recompute)
};
constexpr Way ways[] = {{"segments and batch norm again", true, true},
                        {"segments of blocks again", true, false},
                        {"batch norm and ReLU again", false, true},
                        {"everything kept", false, false}};

void segment(nn::Module& net, std::int64_t every) {
  for (const char* stage : {"stage1", "stage2", "stage3"})
    dynamic_cast<nn::Sequential&>(net.at(stage)).checkpoint_every = every;
}

double step(nn::Module& net, nn::Sgd& sgd, const nn::Batch& batch, bool recompute) {
  sgd.zero_grad();
  const Tensor loss = [&] {
    if (!recompute) return nn::cross_entropy(net(batch.x), batch.y);
    const weft::Recompute cheap;
    return nn::cross_entropy(net(batch.x), batch.y);
  }();
  loss.backward();
  sgd.step();
  return loss.item();
}

// Of all threads together: what a busy machine does not distort.
double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The most memory that the process has had since forget_resident(), in bytes.
double resident() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024 * static_cast<double>(usage.ru_maxrss);
}
void forget_resident() { std::ofstream("/proc/self/clear_refs") << 5; }  // proc(5); elsewhere the peak never falls

struct Cost {
  double bytes = 0;      // the peak of a step above what the net itself takes
  double resident = 0;   // the same of the whole process, as the system sees it
  double seconds = 0;    // the fastest of the steps
  double processor = 0;  // seconds of all threads, likewise
  double loss = 0;       // of the first step: the same in all ways
};

Cost cost_of(const Net& kind, const Way& way, const common::ImageSets& data, std::int64_t batch, int steps,
             std::uint64_t seed) {
  weft::manual_seed(seed);
  const nn::ModulePtr net = kind.make(data);
  // Segments of about the square root of the blocks (Chen et al. 2016): as much is kept between as within them.
  if (way.segments) segment(*net, std::llround(std::sqrt(3.0 * static_cast<double>(kind.blocks_a_stage()))));
  nn::Sgd sgd(net->parameters(), {.lr = 0.01, .momentum = 0.9});
  const nn::Batch images{weft::slice(data.train.x, 0, 0, batch), weft::slice(data.train.y, 0, 0, batch)};
  Cost cost;
  cost.loss = step(*net, sgd, images, way.recompute);  // momentum and gradients are there from now on
  sgd.zero_grad();
  const auto before = static_cast<double>(weft::memory_stats().bytes);
  weft::reset_peak_bytes();
  forget_resident();
  cost.seconds = cost.processor = 1e30;
  for (int i = 0; i < steps; ++i) {
    const auto start = Clock::now();
    const double before_step = processor_seconds();
    step(*net, sgd, images, way.recompute);
    cost.seconds = std::min(cost.seconds, seconds_since(start));
    cost.processor = std::min(cost.processor, processor_seconds() - before_step);
  }
  cost.bytes = static_cast<double>(weft::memory_stats().peak_bytes) - before;
  cost.resident = resident();
  return cost;
}

struct Training {
  Net net;
  std::vector<std::vector<double>> losses = {};  // of each epoch, one a seed
  std::vector<double> first = {}, last = {}, error = {};
};

void train(Training& training, const common::ImageSets& data, const common::Recipe& recipe, std::uint64_t seed) {
  weft::manual_seed(seed);
  const nn::ModulePtr net = training.net.make(data);
  const auto epochs = common::train(*net, data, recipe, seed, fmt::format("{}, seed {}", training.net.name(), seed));
  std::vector<double> losses;
  for (const common::Score& epoch : epochs) losses.push_back(epoch.loss);
  training.error.push_back(epochs.back().error);
  training.first.push_back(losses.front());
  training.last.push_back(losses.back());
  training.losses.push_back(std::move(losses));
}

common::Figure figure_of(const std::vector<Training>& all) {
  common::Figure figure{"training", "Training loss", {"epoch"}, {"cross-entropy, nats"}, {}};
  for (const Training& training : all) {
    std::vector<double> epochs;
    std::vector<common::Spread> losses;
    for (std::size_t e = 0; e < training.losses[0].size(); ++e) {
      std::vector<double> of_seeds;
      for (const auto& seed : training.losses) of_seeds.push_back(seed[e]);
      epochs.push_back(static_cast<double>(e + 1));
      losses.emplace_back(of_seeds);
    }
    figure.series.push_back(common::with_spread(training.net.name(), epochs, losses));
  }
  figure.level_lines = {std::log(10.0)};
  return figure;
}

constexpr double mb = 1e6;

// Costs of all ways for each net, [net][way].
using Costs = std::vector<std::vector<Cost>>;

common::Table cost_table(const std::vector<Net>& nets, const Costs& costs, const common::ImageSets& data,
                         std::int64_t batch) {
  common::Table table{
      fmt::format("A step of {} images of {}x{}", batch, data.train.x.size(1), data.train.x.size(2)),
      {"net", "what is computed again", "peak, MB", "a layer, MB", "process, MB", "s", "a layer, ms", "processor, s"}};
  for (std::size_t n = 0; n < nets.size(); ++n)
    for (std::size_t w = 0; w < std::size(ways); ++w) {
      const Cost& cost = costs[n][w];
      const auto layers = static_cast<double>(nets[n].depth);
      table.add({nets[n].name(), ways[w].name, cost.bytes / mb, cost.bytes / mb / layers, cost.resident / mb,
                 cost.seconds, 1e3 * cost.seconds / layers, cost.processor});
    }
  return table;
}

common::Table training_table(const std::vector<Training>& all, const common::ImageSets& data) {
  common::Table table{data.name + ": training",
                      {"net", "loss in the first epoch", "in the last", "error in the last, %"}};
  for (const Training& t : all)
    table.add({t.net.name(), common::Spread(t.first), common::Spread(t.last), common::Spread(t.error)});
  return table;
}

void conclude(common::Study& study, const std::vector<Net>& nets, const Costs& costs,
              const std::vector<Training>& all) {
  std::string trained;
  bool all_fall = true, all_learn = true, same = true;
  for (const Training& t : all) {
    for (std::size_t i = 0; i < t.first.size(); ++i) {
      all_fall = all_fall && t.last[i] < t.first[i];
      all_learn = all_learn && t.last[i] < std::log(10.0);
    }
    trained += fmt::format("{}{} from {:.2f} to {:.2f}", trained.empty() ? "" : ", ", t.net.name(),
                           common::mean(t.first), common::mean(t.last));
    study.more()["losses"][t.net.name()] = t.losses;
  }
  for (std::size_t n = 0; n < nets.size(); ++n)
    for (std::size_t w = 0; w < std::size(ways); ++w) {
      same = same && costs[n][w].loss == costs[n].back().loss;
      study.more()["cost"][nets[n].name()][ways[w].name] = {{"bytes", costs[n][w].bytes},
                                                            {"seconds", costs[n][w].seconds}};
    }
  study.more()["same_loss"] = same;
  const Cost &kept = costs.back().back(), &again = costs.back().front();
  const double part = kept.bytes / again.bytes, slower = 100 * (again.processor / kept.processor - 1);
  study.add(common::Effect{
      "computing segments again takes a fraction of the memory for about a third more time",
      "Chen et al. 2016: 1000 layers in 7 GB in place of 48, 30 % more time",
      fmt::format("{:.0f} MB in place of {:.0f}, {:+.0f} % processor time", again.bytes / mb, kept.bytes / mb, slower),
      part > 2 && slower < 60});
  study.add(common::Effect{"nets of a thousand layers train", "He et al. 2015 (1202 layers), 2016 (1001)", trained,
                           all_fall});
  study.verdict(fmt::format(
      "A step of {} keeps {:.0f} MB ({:.2f} MB a layer), or {:.0f} MB, {:.1f} times less, if most of it is computed "
      "again, "
      "which takes {:+.0f} % processor time; the first losses have {} bits in all ways. Training losses fall{}: {}. {}",
      nets.back().name(), kept.bytes / mb, kept.bytes / mb / static_cast<double>(nets.back().depth), again.bytes / mb,
      part, slower, same ? "the same" : "different", all_fall ? "" : " not with every net and seed", trained,
      all_learn ? "Every net ends better than guessing, which has 2.30."
                : "Not every net ends better than guessing, which has 2.30: so short a training is not enough."));
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study(
      "thousand", "What does a net of a thousand layers cost, and does it train?",
      "Measures memory and time of a step of ResNet-1202 and of a pre-activation net of 1004 layers, with and without "
      "computing parts again, then trains both. (He et al.'s net of 1001 layers has bottlenecks, 9n + 2; of nets with "
      "two "
      "convolutions a block, 6n + 2, that of 1004 is the next one.) Quick: 200 and 110 layers.");
  study.seeds = 1;
  study.quick_seeds = 1;
  common::ImageOptions images;
  images.add_to(study.app());
  std::int64_t batch = 64;
  int epochs = 0;
  double lr = 0.02;
  study.app().add_option("--batch", batch, "images of the steps that are measured")->check(CLI::Range(2, 256));
  study.app()
      .add_option("--epochs", epochs, "passes over the images; 0: as many as fit")
      ->check(CLI::NonNegativeNumber);
  study.app().add_option("--lr", lr, "the highest learning rate")->check(CLI::PositiveNumber);
  return study.run(argc, argv, [&] {
    const std::vector<Net> nets =
        study.quick ? std::vector<Net>{{110, true}, {200, false}} : std::vector<Net>{{1004, true}, {1202, false}};
    const common::ImageSets data =
        common::read_images(images.or_else({.train = study.quick ? 300 : 512, .test = 100, .shrink = 2}));
    if (batch > data.train.size()) weft::fail("--batch: got ", batch, ", needs at most ", data.train.size());
    Costs costs(nets.size());
    for (const Way& way : ways)
      for (std::size_t n = 0; n < nets.size(); ++n)
        costs[n].push_back(cost_of(nets[n], way, data, batch, study.quick ? 4 : 3, study.seed));
    study.add(cost_table(nets, costs, data, batch));
    const common::Recipe recipe{.epochs = epochs > 0 ? epochs : study.quick ? 5 : 6, .batch = 16, .lr = lr};
    std::vector<Training> all;
    for (const Net& net : nets) {
      all.push_back({net});
      for (const std::uint64_t seed : study.all_seeds()) train(all.back(), data, recipe, seed);
    }
    study.add(training_table(all, data));
    study.add(figure_of(all));
    conclude(study, nets, costs, all);
  });
}

// Does a trained net get by without one of its blocks? See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>

#include <weft/weft.hpp>

#include "common/images.hpp"
#include "common/statistics.hpp"
#include "common/study.hpp"

namespace nn = weft::nn;
using common::Spread;
using weft::Tensor;

namespace {

// A trained net, and the names of its blocks in order: "stage1.0", "stage1.1", ...
struct Net {
  nn::ModulePtr module;
  std::vector<std::string> blocks;
  const nn::Dataset* test;

  double error() const { return common::evaluate(*module, *test).error; }
};

bool changes_shape(const std::string& block) { return block == "stage2.0" || block == "stage3.0"; }

// While it lives, what goes into the block comes out of it: of a residual block that is the shortcut alone, for what
// goes in has been through a ReLU.
class Deleted {
 public:
  Deleted(nn::Module& net, const std::string& block)
      : hook_(net.register_forward_hook(
            block, nn::ForwardHook([](nn::Module&, const Tensor& x, const Tensor&) { return x; }))) {}
  ~Deleted() { hook_.remove(); }
  Deleted(const Deleted&) = delete;
  Deleted& operator=(const Deleted&) = delete;

 private:
  nn::ModuleHookHandle hook_;
};

// Exchanges weights and statistics of two blocks of one shape.
void swap_blocks(nn::Module& net, const std::string& a, const std::string& b) {
  const nn::NamedTensors of_a = nn::state(net.at(a)), of_b = nn::state(net.at(b));
  nn::load_state(net.at(a), of_b);
  nn::load_state(net.at(b), of_a);
}

double error_without(const Net& net, const std::vector<std::string>& blocks) {
  std::vector<std::unique_ptr<Deleted>> gone;
  for (const std::string& block : blocks) gone.push_back(std::make_unique<Deleted>(*net.module, block));
  return net.error();
}

double error_with_swapped(const Net& net, const std::string& a, const std::string& b) {
  swap_blocks(*net.module, a, b);
  const double error = net.error();
  swap_blocks(*net.module, a, b);
  return error;
}

// What the lesions of one kind of net did, in points of test error above that of the whole net.
struct Lesions {
  bool residual;
  std::int64_t depth;
  std::vector<std::string> blocks = {}, swaps = {};  // that can be deleted; neighbours that can be exchanged
  std::vector<double> whole = {};                    // errors, one a seed
  std::vector<std::vector<double>> deleted = {};     // [block][seed]
  std::vector<std::vector<double>> swapped = {};     // [pair][seed]
  std::vector<std::vector<double>> several = {};     // [how many are deleted at once][seed]

  std::string name() const { return common::net_name(residual, depth); }
};

void plan(Lesions& lesions, const Net& net) {
  if (!lesions.blocks.empty()) return;
  for (std::size_t i = 0; i < net.blocks.size(); ++i) {
    if (changes_shape(net.blocks[i])) continue;
    lesions.blocks.push_back(net.blocks[i]);
    if (i + 1 < net.blocks.size() && net.blocks[i].substr(0, 6) == net.blocks[i + 1].substr(0, 6))
      lesions.swaps.push_back(net.blocks[i] + " " + net.blocks[i + 1]);
  }
  lesions.deleted.resize(lesions.blocks.size());
  lesions.swapped.resize(lesions.swaps.size());
  lesions.several.resize(lesions.blocks.size() + 1);
}

void lesion(Lesions& lesions, const Net& net) {
  plan(lesions, net);
  const double whole = net.error();
  lesions.whole.push_back(whole);
  for (std::size_t i = 0; i < lesions.blocks.size(); ++i)
    lesions.deleted[i].push_back(error_without(net, {lesions.blocks[i]}) - whole);
  for (std::size_t i = 0; i < lesions.swaps.size(); ++i) {
    const std::string& pair = lesions.swaps[i];
    const std::size_t space = pair.find(' ');
    lesions.swapped[i].push_back(error_with_swapped(net, pair.substr(0, space), pair.substr(space + 1)) - whole);
  }
  // One after another in an order of this seed's.
  const Tensor order = weft::randperm(static_cast<std::int64_t>(lesions.blocks.size()));
  std::vector<std::string> gone;
  lesions.several[0].push_back(0);
  for (const std::int64_t block : order.data<std::int64_t>()) {
    gone.push_back(lesions.blocks[static_cast<std::size_t>(block)]);
    lesions.several[gone.size()].push_back(error_without(net, gone) - whole);
  }
}

Net trained_net(const Lesions& lesions, const common::ImageSets& data, const common::Recipe& recipe,
                std::uint64_t seed) {
  weft::manual_seed(seed);
  Net net{common::deep_net(lesions.residual, lesions.depth, data), {}, &data.test};
  for (const char* stage : {"stage1", "stage2", "stage3"})
    for (std::int64_t i = 0; i < (lesions.depth - 2) / 6; ++i) net.blocks.push_back(fmt::format("{}.{}", stage, i));
  common::train(*net.module, data, recipe, seed, fmt::format("{}, seed {}", lesions.name(), seed));
  return net;
}

std::vector<double> flat(const std::vector<std::vector<double>>& nested) {
  std::vector<double> all;
  for (const auto& inner : nested) all.insert(all.end(), inner.begin(), inner.end());
  return all;
}

common::Table table_of(const std::vector<Lesions>& all, const common::ImageSets& data) {
  common::Table table{data.name + ": test error, and what lesions add to it, in points",
                      {"net", "whole, %", "a block deleted, median", "most", "two neighbours swapped, median", "most"}};
  for (const Lesions& l : all) {
    const std::vector<double> deleted = flat(l.deleted), swapped = flat(l.swapped);
    const auto most = [](const std::vector<double>& of) {
      return of.empty() ? 0 : *std::max_element(of.begin(), of.end());
    };
    table.add(
        {l.name(), Spread(l.whole), common::median(deleted), most(deleted), common::median(swapped), most(swapped)});
  }
  return table;
}

common::Series series_of(const Lesions& lesions, const std::vector<std::vector<double>>& values) {
  std::vector<double> x;
  std::vector<Spread> y;
  for (std::size_t i = 0; i < values.size(); ++i) {
    x.push_back(static_cast<double>(i));
    y.emplace_back(values[i]);
  }
  return common::with_spread(lesions.name(), x, y);
}

common::Figure figure_of(const std::vector<Lesions>& all) {
  common::Figure one{"deleted", "One block deleted", {"the block"}, {"added test error, points", false, 0, 100}, {}};
  common::Figure several{"deleted",
                         "More and more deleted",
                         {"blocks deleted, at random"},
                         {"added test error, points", false, 0, 100},
                         {}};
  for (const Lesions& l : all) {
    one.series.push_back(series_of(l, l.deleted));
    several.series.push_back(series_of(l, l.several));
  }
  one.x_names = all.front().blocks;
  one.beside.push_back(std::move(several));
  return one;
}

void conclude(common::Study& study, const Lesions& plain, const Lesions& residual) {
  const double of_plain = common::median(flat(plain.deleted)), of_residual = common::median(flat(residual.deleted));
  const double swaps_plain = common::median(flat(plain.swapped)),
               swaps_residual = common::median(flat(residual.swapped));
  study.more()["plain_deleted"] = of_plain;
  study.more()["residual_deleted"] = of_residual;
  study.more()["plain_swapped"] = swaps_plain;
  study.more()["residual_swapped"] = swaps_residual;
  study.more()["plain_whole"] = common::mean(plain.whole);
  study.more()["residual_whole"] = common::mean(residual.whole);
  const bool less = of_residual < of_plain / 2;
  study.add(common::Effect{
      "deleting one block hardly harms a residual net, and ruins a plain one",
      "Veit et al. 2016, figure 3: ResNet-110 as before, VGG-15 down to chance",
      fmt::format("median {:+.1f} points in {}, {:+.1f} in {}", of_residual, residual.name(), of_plain, plain.name()),
      less});
  study.add(common::Effect{"a residual net bears its blocks in another order", "Veit et al. 2016, figure 5b",
                           fmt::format("median {:+.1f} points, {:+.1f} in the plain net", swaps_residual, swaps_plain),
                           swaps_residual < swaps_plain / 2});
  study.verdict(fmt::format(
      "One block deleted adds {:.1f} points to the residual net's test error of {:.1f} %, and {:.1f} to the plain "
      "net's of "
      "{:.1f} % (medians over blocks and seeds; chance is at 90 %). Two neighbours swapped add {:.1f} and {:.1f}. {}",
      of_residual, common::mean(residual.whole), of_plain, common::mean(plain.whole), swaps_residual, swaps_plain,
      less ? "The blocks of a residual net depend on one another far less than those of a plain one, as Veit et al. "
             "found."
      : of_residual < of_plain
          ? "The residual net bears it better, but not by the margin that Veit et al. found in nets of 110 layers."
          : "The residual net does not bear it better here, unlike Veit et al.'s."));
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study("lesion", "Does a trained net get by without one of its blocks?",
                      "Trains residual and plain nets, deletes every block in turn (what goes in comes out; not the "
                      "two that change the "
                      "shape), swaps neighbours, and measures the test error: Veit et al. 2016.");
  study.seeds = 3;
  study.quick_seeds = 2;
  common::ImageOptions images;
  images.add_to(study.app());
  std::int64_t depth = 20;
  int epochs = 0;
  study.app()
      .add_option("--depth", depth, "layers of both nets, 6n + 2 with n > 1")
      ->check([](const std::string& text) {
        const long given = std::strtol(text.c_str(), nullptr, 10);
        return given >= 14 && given % 6 == 2 ? "" : "needs 14, 20, 26, 32, ...";
      });
  study.app()
      .add_option("--epochs", epochs, "passes over the images; 0: as many as fit")
      ->check(CLI::NonNegativeNumber);
  return study.run(argc, argv, [&] {
    const common::ImageSets data = common::read_images(
        images.or_else(study.quick ? common::ImageOptions{.train = 1500, .test = 500, .shrink = 2}
                                   : common::ImageOptions{.train = 6000, .test = 2000, .shrink = 2}));
    const common::Recipe recipe{.epochs = epochs > 0 ? epochs : study.quick ? 8 : 12};
    std::vector<Lesions> all{{false, depth}, {true, depth}};
    for (Lesions& lesions : all)
      for (const std::uint64_t seed : study.all_seeds()) lesion(lesions, trained_net(lesions, data, recipe, seed));
    study.add(table_of(all, data));
    study.add(figure_of(all));
    conclude(study, all[0], all[1]);
  });
}

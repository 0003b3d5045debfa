// Do plain nets train worse the deeper they are, and residual nets not? See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>

#include <weft/weft.hpp>

#include "common/images.hpp"
#include "common/statistics.hpp"
#include "common/study.hpp"

using common::Spread;

namespace {

// What became of the nets of one kind and depth, one entry a seed.
struct Runs {
  bool residual;
  std::int64_t depth;
  std::int64_t parameters = 0;
  std::vector<std::vector<common::Score>> epochs = {};  // in training
  std::vector<double> train_error = {}, test_error = {};

  std::string name() const { return common::net_name(residual, depth); }
};

void run_seed(Runs& runs, const common::ImageSets& data, const common::Recipe& recipe, std::uint64_t seed) {
  weft::manual_seed(seed);
  const weft::nn::ModulePtr net = common::deep_net(runs.residual, runs.depth, data);
  runs.parameters = 0;
  for (const weft::Tensor& p : net->parameters()) runs.parameters += p.size();
  runs.epochs.push_back(common::train(*net, data, recipe, seed, fmt::format("{}, seed {}", runs.name(), seed)));
  runs.train_error.push_back(runs.epochs.back().back().error);
  runs.test_error.push_back(common::evaluate(*net, data.test).error);
  fmt::print(stderr, "{}, seed {}: training error {:.2f} %, test error {:.2f} %\n", runs.name(), seed,
             runs.train_error.back(), runs.test_error.back());
}

// Test errors on CIFAR-10: ResNets by He et al., arXiv 1512.03385, table 6; plain nets by a reimplementation of theirs.
common::Cell published(bool residual, std::int64_t depth) {
  static const std::map<std::int64_t, double> of_residual = {{20, 8.75}, {32, 7.51},  {44, 7.17},
                                                             {56, 6.97}, {110, 6.43}, {1202, 7.93}};
  static const std::map<std::int64_t, double> of_plain = {{20, 9.90}, {32, 13.04}, {44, 15.55}, {56, 14.74}};
  const auto& all = residual ? of_residual : of_plain;
  const auto found = all.find(depth);
  return found == all.end() ? common::Cell("") : common::Cell(found->second);
}

common::Table table_of(const std::vector<Runs>& all, const common::ImageSets& data) {
  common::Table table{data.name,
                      {"net", "parameters", "training error, %", "test error, %", "published on CIFAR-10, %"}};
  for (const Runs& runs : all)
    table.add({runs.name(), runs.parameters, Spread(runs.train_error), Spread(runs.test_error),
               published(runs.residual, runs.depth)});
  return table;
}

common::Series by_depth(const std::vector<Runs>& all, bool residual, std::vector<double> Runs::*error) {
  std::vector<double> depths;
  std::vector<Spread> errors;
  for (const Runs& runs : all)
    if (runs.residual == residual) {
      depths.push_back(static_cast<double>(runs.depth));
      errors.emplace_back(runs.*error);
    }
  common::Series series = common::with_spread(residual ? "residual" : "plain", depths, errors);
  for (double& low : series.low) low = std::max(low, 0.0);
  return series;
}

common::Figure depth_figure(const std::vector<Runs>& all) {
  const auto diagram = [&](const char* title, std::vector<double> Runs::*error) {
    return common::Figure{
        "depth", title, {"depth, layers"}, {"error, %"}, {by_depth(all, false, error), by_depth(all, true, error)}};
  };
  common::Figure figure = diagram("Training error by depth", &Runs::train_error);
  figure.beside.push_back(diagram("Test error by depth", &Runs::test_error));
  return figure;
}

common::Figure curve_figure(const std::vector<Runs>& all) {
  const auto diagram = [&](bool residual) {
    common::Figure figure{
        "curves", residual ? "Residual nets" : "Plain nets", {"epoch"}, {"training error, %", false, 0, 100}, {}};
    for (const Runs& runs : all) {
      if (runs.residual != residual) continue;
      std::vector<double> epochs;
      std::vector<Spread> errors;
      for (std::size_t e = 0; e < runs.epochs[0].size(); ++e) {
        std::vector<double> of_seeds;
        for (const auto& seed : runs.epochs) of_seeds.push_back(seed[e].error);
        epochs.push_back(static_cast<double>(e + 1));
        errors.emplace_back(of_seeds);
      }
      figure.series.push_back(common::with_spread(runs.name(), epochs, errors));
    }
    return figure;
  };
  common::Figure figure = diagram(false);
  figure.beside.push_back(diagram(true));
  return figure;
}

// The deepest net's training error less the shallowest one's, seed by seed.
std::vector<double> rises(const std::vector<Runs>& all, bool residual) {
  const Runs *shallow = nullptr, *deep = nullptr;
  for (const Runs& runs : all)
    if (runs.residual == residual) {
      if (shallow == nullptr || runs.depth < shallow->depth) shallow = &runs;
      if (deep == nullptr || runs.depth > deep->depth) deep = &runs;
    }
  std::vector<double> result;
  for (std::size_t i = 0; i < deep->train_error.size(); ++i)
    result.push_back(deep->train_error[i] - shallow->train_error[i]);
  return result;
}

void conclude(common::Study& study, const std::vector<Runs>& all, std::int64_t shallow, std::int64_t deep) {
  const std::vector<double> plain = rises(all, false), residual = rises(all, true);
  const double plain_rise = common::mean(plain), residual_rise = common::mean(residual);
  const bool all_worse = *std::min_element(plain.begin(), plain.end()) > 0;
  const bool less = residual_rise < plain_rise / 2;
  study.more()["plain_rise"] = plain;
  study.more()["residual_rise"] = residual;
  study.add(common::Effect{"a deeper plain net has the higher training error",
                           "He et al. 2015, figure 6: plain-56 above plain-20 throughout",
                           fmt::format("plain-{} against plain-{}: {:+.1f} points", deep, shallow, plain_rise),
                           all_worse});
  study.add(common::Effect{"a residual net's training error falls with depth", "He et al. 2015, figure 6",
                           fmt::format("ResNet-{} against ResNet-{}: {:+.1f} points", deep, shallow, residual_rise),
                           residual_rise < 0});
  study.verdict(fmt::format(
      "From {} to {} layers the training error of the plain net goes {} by {:.1f} points{}, that of the residual net, "
      "with as many parameters, {} by {:.1f}. {}",
      shallow, deep, plain_rise > 0 ? "up" : "down", std::abs(plain_rise), all_worse ? " (up with every seed)" : "",
      residual_rise > 0 ? "up" : "down", std::abs(residual_rise),
      !all_worse          ? "The degradation of plain nets does not show here."
      : residual_rise < 0 ? "That is He et al.'s degradation, and the shortcuts take it away."
      : less ? "That is He et al.'s degradation; the shortcuts take most of it away, but in a training as short "
               "as this one the deeper residual net is behind as well."
             : "The degradation shows, and the shortcuts do not take it away here."));
}

// Tells how long the whole run takes, from a tenth of an epoch of ResNet-20 on noise in CIFAR-10's shape.
void estimate(const std::vector<std::int64_t>& depths, std::size_t seeds, std::int64_t epochs) {
  const common::ImageSets noise = common::cifar_shaped_noise(5000);
  common::Recipe recipe = common::paper_recipe(noise);
  recipe.epochs = 1;
  weft::manual_seed(0);
  const weft::nn::ModulePtr net = common::deep_net(true, 20, noise);
  const auto start = std::chrono::steady_clock::now();
  common::train(*net, noise, recipe, 0, "a tenth of an epoch");
  const double epoch = 10 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  double nets = 0;  // in ResNet-20s
  for (const std::int64_t depth : depths) nets += 2 * static_cast<double>(depth - 2) / 18;
  const double hours = epoch * nets * static_cast<double>(epochs) * static_cast<double>(seeds) / 3600;
  fmt::print(
      "An epoch of ResNet-20 on 50,000 images takes about {:.0f} s here; {} epochs of all nets with {} seeds about "
      "{:.0f} hours.\n",
      epoch, epochs, seeds, hours);
  std::fflush(stdout);
}

std::string check_depth(const std::string& text) {
  const long depth = std::strtol(text.c_str(), nullptr, 10);
  return depth >= 8 && depth % 6 == 2 ? "" : "needs depths of 6n + 2 layers: 8, 14, 20, 32, 44, 56, ...";
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study(
      "degradation", "Do plain nets train worse the deeper they are, and residual nets not?",
      "Trains plain and residual nets of equal numbers of parameters (shortcuts without any: option A) at growing "
      "depth "
      "and compares training errors, as He et al. 2015. By default on few and small images of Fashion-MNIST; with "
      "--cifar by the paper's recipe, for hours, which it estimates first.");
  study.seeds = 3;
  study.quick_seeds = 2;
  common::ImageOptions images;
  images.add_to(study.app());
  std::vector<std::int64_t> depths;
  int epochs = 0;
  bool only_estimate = false;
  study.app().add_option("--depths", depths, "depths, 6n + 2 each [8 20 32 44 56]")->check(check_depth);
  study.app()
      .add_option("--epochs", epochs, "passes over the images; 0: as many as fit")
      ->check(CLI::NonNegativeNumber);
  study.app().add_flag("--estimate", only_estimate, "only tell how long the paper's recipe would take on CIFAR-10");
  return study.run(argc, argv, [&] {
    if (depths.empty())
      depths = study.quick ? std::vector<std::int64_t>{8, 32} : std::vector<std::int64_t>{8, 20, 32, 44, 56};
    std::sort(depths.begin(), depths.end());
    if (only_estimate) return estimate(depths, study.all_seeds().size(), 164);
    const bool paper = !images.cifar.empty() && !study.quick;
    const common::ImageSets data = common::read_images(
        images.or_else(paper         ? common::ImageOptions{.train = 50000, .test = 10000, .shrink = 1}
                       : study.quick ? common::ImageOptions{.train = 1000, .test = 1000, .shrink = 2}
                                     : common::ImageOptions{.train = 2000, .test = 2000, .shrink = 2}));
    common::Recipe recipe = paper ? common::paper_recipe(data) : common::Recipe{.epochs = study.quick ? 8 : 12};
    if (epochs > 0) recipe.epochs = epochs;
    if (paper) estimate(depths, study.all_seeds().size(), recipe.epochs);
    std::vector<Runs> all;
    for (const bool residual : {false, true})
      for (const std::int64_t depth : depths) all.push_back({residual, depth});
    for (Runs& runs : all)
      for (const std::uint64_t seed : study.all_seeds()) run_seed(runs, data, recipe, seed);
    study.add(table_of(all, data));
    study.add(depth_figure(all));
    study.add(curve_figure(all));
    conclude(study, all, depths.front(), depths.back());
  });
}

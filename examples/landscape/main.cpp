// Do shortcuts make the loss surface around a trained net smoother? See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <weft/weft.hpp>

#include "common/images.hpp"
#include "common/statistics.hpp"
#include "common/study.hpp"

namespace nn = weft::nn;
using weft::Tensor;
using weft::Tensors;

namespace {

// A random direction in the space of weights in which every filter, a weight's part that makes one output channel, is
// as long as the net's own (Li et al. 2018, section 4). Batch norm's weights and biases stay where they are, as in the
// paper's own program.
Tensors filter_normalised_direction(const Tensors& weights) {
  Tensors direction;
  for (const Tensor& w : weights) {
    if (w.rank() < 2) {
      direction.push_back(weft::zeros(w.shape()));
      continue;
    }
    const Tensor d = weft::randn(w.shape());
    const weft::Axes all_but_outputs = w.rank() == 4 ? weft::Axes{0, 1, 2} : weft::Axes{0};  // outputs are last
    direction.push_back(d * (weft::norm(w, all_but_outputs, true) / weft::norm(d, all_but_outputs, true)));
  }
  return direction;
}

using Heights = std::vector<std::vector<double>>;  // [y][x]

// The loss at weights + x first + y second. Batch norm uses the statistics that training left, in evaluation mode: so
// did the paper's program.
Heights surface(nn::Module& net, const nn::Dataset& data, const std::vector<double>& grid, const std::string& label) {
  const weft::NoGrad off;
  const Tensors weights = net.parameters();
  Tensors centre;
  for (const Tensor& w : weights) centre.push_back(w.clone());
  const Tensors first = filter_normalised_direction(centre), second = filter_normalised_direction(centre);
  const auto size = static_cast<std::int64_t>(grid.size());
  nn::Progress bar(label, size * size);
  Heights heights;
  std::int64_t done = 0;
  for (const double y : grid) {
    heights.emplace_back();
    for (const double x : grid) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        Tensor w = weights[i];
        w.copy_(centre[i] + x * first[i] + y * second[i]);
      }
      heights.back().push_back(common::evaluate(net, data).loss);
      bar.update(++done);
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    Tensor w = weights[i];
    w.copy_(centre[i]);
  }
  return heights;
}

struct Landscape {
  std::string name;
  double trained_loss = 0, train_error = 0;
  Heights heights = {};

  double centre() const { return heights[heights.size() / 2][heights.size() / 2]; }
  std::vector<double> all() const {
    std::vector<double> values;
    for (const auto& row : heights) values.insert(values.end(), row.begin(), row.end());
    return values;
  }
  // The share of the square in which the net is still better than guessing.
  double better_than_chance() const {
    const std::vector<double> values = all();
    const auto good = std::count_if(values.begin(), values.end(), [](double h) { return h < std::log(10.0); });
    return 100 * static_cast<double>(good) / static_cast<double>(values.size());
  }
  // The share of neighbouring triples, along the rows and columns, in which the middle is above the mean of its sides:
  // none of a convex function.
  double not_convex() const {
    double above = 0, triples = 0;
    const std::size_t n = heights.size();
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 1; j + 1 < n; ++j) {
        above += 2 * heights[i][j] > heights[i][j - 1] + heights[i][j + 1] ? 1 : 0;
        above += 2 * heights[j][i] > heights[j - 1][i] + heights[j + 1][i] ? 1 : 0;
        triples += 2;
      }
    return 100 * above / triples;
  }
};

Landscape landscape_of(bool residual, std::int64_t depth, const common::ImageSets& data, const common::Recipe& recipe,
                       const std::vector<double>& grid, std::int64_t images, std::uint64_t seed) {
  weft::manual_seed(seed);
  Landscape result{common::net_name(residual, depth)};
  const nn::ModulePtr net = common::deep_net(residual, depth, data);
  common::train(*net, data, recipe, seed, fmt::format("{}, seed {}", result.name, seed));
  const nn::Dataset seen = nn::head(data.train, images);
  const common::Score trained = common::evaluate(*net, seen);
  result.trained_loss = trained.loss;
  result.train_error = trained.error;
  result.heights = surface(*net, seen, grid, fmt::format("{}, seed {}: surface", result.name, seed));
  return result;
}

std::vector<double> grid_of(std::int64_t points, double reach) {
  std::vector<double> grid;
  for (std::int64_t i = 0; i < points; ++i)
    grid.push_back(reach * static_cast<double>(2 * i - (points - 1)) / static_cast<double>(points - 1));
  return grid;
}

// Levels 0.1, 0.2, 0.5, 1, 2, 5 and so on, about a constant factor apart, over what the surfaces have.
common::Contours picture_of(const std::vector<Landscape>& nets, const std::vector<double>& grid) {
  common::Contours contours{
      "landscape", "Training loss around the trained net", "first direction", "second direction", grid, grid, {}, {}};
  double low = 1e30, high = 0;
  for (const Landscape& net : nets) {
    const std::vector<double> values = net.all();
    low = std::min(low, *std::min_element(values.begin(), values.end()));
    high = std::max(high, *std::max_element(values.begin(), values.end()));
    contours.surfaces.push_back({net.name + ": training loss, nats", net.heights});
  }
  for (int power = -3; power <= 6; ++power)
    for (const double step : {1.0, 3.0})
      if (const double level = step * std::pow(10.0, power); level > low && level < high)
        contours.levels.push_back(level);
  return contours;
}

// Of both kinds, one landscape a seed.
using Pairs = std::vector<std::vector<Landscape>>;

std::vector<double> over_seeds(const std::vector<Landscape>& of, double (*value)(const Landscape&)) {
  std::vector<double> values;
  for (const Landscape& one : of) values.push_back(value(one));
  return values;
}

double loss_of(const Landscape& l) { return l.trained_loss; }
double error_of(const Landscape& l) { return l.train_error; }
double basin_of(const Landscape& l) { return l.better_than_chance(); }
double bent_of(const Landscape& l) { return l.not_convex(); }
double highest_of(const Landscape& l) {
  const std::vector<double> values = l.all();
  return *std::max_element(values.begin(), values.end());
}

void conclude(common::Study& study, const Pairs& kinds, double reach) {
  const std::string &plain = kinds[0][0].name, &residual = kinds[1][0].name;
  const double plain_basin = common::mean(over_seeds(kinds[0], basin_of)),
               residual_basin = common::mean(over_seeds(kinds[1], basin_of)),
               plain_bent = common::mean(over_seeds(kinds[0], bent_of)),
               residual_bent = common::mean(over_seeds(kinds[1], bent_of));
  const bool wider = residual_basin > plain_basin, smoother = residual_bent < plain_bent;
  study.add(common::Effect{"with shortcuts the surface is convex over a wide region, without it is chaotic when deep",
                           "Li et al. 2018, figure 5: 56 layers, by the eye",
                           fmt::format("not convex: {:.0f} % of the triples in {}, {:.0f} % in {}", residual_bent,
                                       residual, plain_bent, plain),
                           smoother});
  study.add(common::Effect{"with shortcuts the low region is wider", "Li et al. 2018, figures 5 and 6",
                           fmt::format("better than chance: {:.0f} % of the square in {}, {:.0f} % in {}",
                                       residual_basin, residual, plain_basin, plain),
                           wider});
  study.verdict(
      fmt::format("Within {:g} filter lengths each way, {} is better than guessing in {:.0f} % of the square and {} in "
                  "{:.0f} %; of "
                  "neighbouring triples of heights {:.0f} % and {:.0f} % bend the wrong way for a convex surface. {}",
                  reach, residual, residual_basin, plain, plain_basin, residual_bent, plain_bent,
                  wider && smoother ? "The residual net lies in the wider and smoother valley, as Li et al. show."
                  : wider           ? "The residual net's valley is wider, but by this measure not smoother."
                  : smoother        ? "The residual net's surface is smoother, but its valley is not wider here."
                                    : "Neither is so here: Li et al.'s effect does not appear."));
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study(
      "landscape", "Do shortcuts make the loss surface around a trained net smoother?",
      "Trains a plain and a residual net and draws the training loss over two random directions, each filter of which "
      "is "
      "as long as the net's own (Li et al. 2018). Batch norm is in evaluation mode, as in the paper's program.");
  study.seeds = 1;
  study.quick_seeds = 1;
  common::ImageOptions images;
  images.add_to(study.app());
  std::int64_t depth = 0, points = 0;
  double reach = 1;
  int epochs = 0;
  study.app()
      .add_option("--depth", depth, "layers of both nets, 6n + 2; 0: 56, quick 20")
      ->check([](const std::string& text) {
        const long given = std::strtol(text.c_str(), nullptr, 10);
        return given == 0 || (given >= 8 && given % 6 == 2) ? "" : "needs 8, 14, 20, 26, ...";
      });
  study.app()
      .add_option("--points", points, "points of the grid along each direction, odd; 0: 25, quick 9")
      ->check([](const std::string& text) {
        const long given = std::strtol(text.c_str(), nullptr, 10);
        return given == 0 || (given >= 3 && given % 2 == 1) ? "" : "needs an odd number from 3 on";
      });
  study.app().add_option("--reach", reach, "how far the grid goes, in filter lengths")->check(CLI::PositiveNumber);
  study.app()
      .add_option("--epochs", epochs, "passes over the images; 0: as many as fit")
      ->check(CLI::NonNegativeNumber);
  return study.run(argc, argv, [&] {
    if (depth == 0) depth = study.quick ? 20 : 56;
    if (points == 0) points = study.quick ? 9 : 25;
    const common::ImageSets data = common::read_images(
        images.or_else(study.quick ? common::ImageOptions{.train = 1000, .test = 500, .shrink = 2}
                                   : common::ImageOptions{.train = 4000, .test = 2000, .shrink = 2}));
    const common::Recipe recipe{.epochs = epochs > 0 ? epochs : study.quick ? 6 : 20};
    const std::vector<double> grid = grid_of(points, reach);
    const std::int64_t seen = std::min<std::int64_t>(data.train.size(), 250);
    Pairs kinds(2);
    for (const bool residual : {false, true})
      for (const std::uint64_t seed : study.all_seeds())
        kinds[residual ? 1 : 0].push_back(landscape_of(residual, depth, data, recipe, grid, seen, seed));
    common::Table table{
        fmt::format("{}; the surface is over {} of them, {}x{} points", data.name, seen, points, points),
        {"net", "training loss", "training error, %", "highest", "better than chance, %", "not convex, %"}};
    for (const auto& of : kinds) {
      const auto cell = [&](double (*value)(const Landscape&)) { return common::Spread(over_seeds(of, value)); };
      table.add({of[0].name, cell(loss_of), cell(error_of), cell(highest_of), cell(basin_of), cell(bent_of)});
      study.more()[of[0].name] = {{"trained_loss", over_seeds(of, loss_of)},
                                  {"centre", over_seeds(of, [](const Landscape& l) { return l.centre(); })},
                                  {"heights", of[0].heights}};
    }
    study.add(table);
    study.add(picture_of({kinds[0][0], kinds[1][0]}, grid));
    conclude(study, kinds, reach);
  });
}

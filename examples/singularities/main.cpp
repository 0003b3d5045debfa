// Are deep nets with shortcuts less degenerate than plain ones? The Hessians of plain, residual and hyper-residual nets
// (Orhan and Pitkow, arXiv 1701.09175), near zero.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "common/statistics.hpp"
#include "common/study.hpp"
#include "spectrum.hpp"

using namespace weft;

namespace {

enum class Wiring { plain, residual, hyper };
constexpr const char* names[] = {"plain", "residual", "hyper-residual"};

/// `depth` hidden layers of `width`, h' = relu(W h + b). Residual: h' = relu(W h + b) + h. Hyper-residual: to that the
/// mean of all layers before h is added, each behind a fixed random rotation.
struct Net : nn::Module {
  Wiring kind;
  std::int64_t width;
  nn::Child<nn::Linear> input, output;
  nn::Child<nn::ModuleList> layers{this, "layers"};
  std::vector<Tensor> rotations;  // of layer l: those of the l layers before h, one above the other

  Net(Wiring of, std::int64_t in, std::int64_t depth, std::int64_t w)
      : kind(of), width(w), input(this, "input", in, w), output(this, "output", w, 10) {
    for (std::int64_t l = 1; l < depth; ++l) {
      layers->append(nn::make<nn::Linear>(w, w));
      rotations.push_back(l > 1 ? rotations_of(l - 1) : Tensor());
    }
    for (const auto& [name, p] : named_parameters()) name.ends_with("weight") ? nn::xavier_(p) : nn::zeros_(p);
    to(f64);
  }

  Tensor rotations_of(std::int64_t count) const {
    Tensors all;
    for (std::int64_t k = 0; k < count; ++k) {
      all.push_back(empty({width, width}));
      nn::orthogonal_(all.back(), 1.0 / static_cast<double>(count));
    }
    return concat(all, 0).to(f64);
  }

  Tensor forward(const Tensor& x) override {
    Tensor h = relu(input(x)), before;  // all layers before h, beside each other
    for (std::size_t l = 0; l < rotations.size(); ++l) {
      Tensor next = relu((*layers)[l](h));
      if (kind != Wiring::plain) next = next + h;
      if (kind == Wiring::hyper && l > 0) next = next + matmul(before, rotations[l]);
      if (kind == Wiring::hyper) before = l > 0 ? concat({before, h}) : h;
      h = next;
    }
    return output(h);
  }
};

/// Images of 28 x 28 as means over 4 x 4 pixels, 49 numbers, standardised.
nn::Dataset small_images(const std::string& directory, nn::Split split, std::int64_t count) {
  const nn::Dataset images = nn::head(nn::fashion_mnist(directory, split), count);
  const Tensor x = reshape(avg_pool2d(images.x, {.kernel = 4}), {count, 49});
  return {((x - 0.286) / 0.353).to(f64), images.y};
}

double accuracy(Net& net, const nn::Dataset& data) {
  const NoGrad off;
  return mean(equal(argmax(net(data.x), 1), data.y)).item();
}

/// Sizes of the work.
struct Plan {
  std::int64_t depth, width, images, probes, steps;
  std::vector<int> moments;  // epochs after which the Hessian is looked at
};
// An eigenvalue is near zero if its size is at most this share of the highest one's, which Lanczos's method resolves,
constexpr double tau = 1e-3;
// and degenerate if it is at most this share: counted among all eigenvalues.
// Chosen with the spectra of seed 1 in view: judge it on other seeds.
constexpr double degenerate = 1e-6;

/// What is seen of one net at one moment.
struct Moment {
  double loss, train, test;
  Spectrum spectrum;
};

struct Data {
  nn::Dataset train, test;
};

nn::Hessian hessian_now(Net& net, const nn::Dataset& data) {
  return nn::hessian_of([&] { return nn::cross_entropy(net(data.x), data.y); }, net);
}

Moment look(Net& net, const Data& data, const Plan& plan, std::uint64_t seed) {
  const double loss = [&] {
    const NoGrad off;
    return nn::cross_entropy(net(data.train.x), data.train.y).item();
  }();
  return {loss, accuracy(net, data.train), accuracy(net, data.test),
          estimated(hessian_now(net, data.train), tau, plan.probes, plan.steps, seed)};
}

/// Trains by Adam in batches of 50 and looks at the Hessian on the way.
std::vector<Moment> trained(Net& net, const Data& data, const Plan& plan, std::uint64_t seed) {
  nn::Adam optimiser(net, {.lr = 1e-3});
  nn::DataLoader loader(data.train, {.batch_size = 50, .shuffle = true, .seed = seed});
  std::vector<Moment> moments;
  for (int epoch = 0; epoch <= plan.moments.back(); ++epoch) {
    if (std::ranges::count(plan.moments, epoch) > 0) moments.push_back(look(net, data, plan, seed));
    if (epoch == plan.moments.back()) break;
    for (auto [x, y] : loader) {
      optimiser.zero_grad();
      nn::cross_entropy(net(x), y).backward();
      optimiser.step();
    }
  }
  return moments;
}

/// One kind of net over all seeds.
struct Runs {
  Wiring kind;
  std::vector<std::vector<Moment>> seeds = {};        // [seed][moment]
  std::vector<std::vector<double>> eigenvalues = {};  // [seed]: all, at the end

  common::Spread at(std::size_t moment, double (*of)(const Moment&)) const {
    std::vector<double> values;
    for (const auto& moments : seeds) values.push_back(of(moments[moment]));
    return common::Spread(values);
  }
  const char* name() const { return names[static_cast<int>(kind)]; }
};

/// Of each seed, the share of degenerate eigenvalues at the end.
common::Spread degenerate_share(const Runs& runs) {
  std::vector<double> shares;
  for (const auto& values : runs.eigenvalues) shares.push_back(exact(values, degenerate).near_zero);
  return common::Spread(shares);
}

double near_zero(const Moment& m) { return m.spectrum.near_zero; }
double negative(const Moment& m) { return m.spectrum.negative; }
double test_accuracy(const Moment& m) { return m.test; }

void add_moments(common::Study& study, const std::vector<Runs>& all, const Plan& plan) {
  common::Table table{
      fmt::format("Eigenvalues of the Hessian near zero (of at most {} of the highest one's size) and below", tau),
      {"net", "epochs", "loss", "accuracy, training", "accuracy, test", "near zero", "negative"}};
  for (const Runs& runs : all)
    for (std::size_t m = 0; m < plan.moments.size(); ++m)
      table.add({runs.name(), plan.moments[m], runs.at(m, [](const Moment& x) { return x.loss; }),
                 runs.at(m, [](const Moment& x) { return x.train; }), runs.at(m, test_accuracy), runs.at(m, near_zero),
                 runs.at(m, negative)});
  study.add(table);
}

/// Lanczos's figures beside those of all eigenvalues.
void add_check(common::Study& study, const std::vector<Runs>& all) {
  common::Table degeneracy{
      fmt::format("Degenerate eigenvalues (of at most {} of the highest one's size) at the end", degenerate),
      {"net", "parameters", "share"}};
  for (const Runs& runs : all)
    degeneracy.add({runs.name(), static_cast<std::int64_t>(runs.eigenvalues[0].size()), degenerate_share(runs)});
  study.add(degeneracy);
  common::Table table{"Lanczos's method beside the exact spectrum (first seed, at the end)",
                      {"net", "lowest", "exact", "highest", "exact", "near zero", "exact"}};
  for (const Runs& runs : all) {
    const Spectrum of = exact(runs.eigenvalues[0], tau), &by = runs.seeds[0].back().spectrum;
    table.add({runs.name(), by.lowest, of.lowest, by.highest, of.highest, by.near_zero, of.near_zero});
    const auto pair = [](double estimate, double truth) {
      return nlohmann::json{{"lanczos", estimate}, {"exact", truth}};
    };
    study.more()["check"][runs.name()] = {{"lowest", pair(by.lowest, of.lowest)},
                                          {"highest", pair(by.highest, of.highest)},
                                          {"near_zero", pair(by.near_zero, of.near_zero)},
                                          {"negative", pair(by.negative, of.negative)}};
  }
  study.add(table);
}

/// The share of each bar of the width `bin`, per unit, on the grid of a density.
std::vector<double> smoothed(const std::vector<double>& values, const nn::SpectralDensity& as) {
  nn::SpectralDensity d = as;
  for (std::size_t g = 0; g < d.grid.size(); ++g) {
    d.density[g] = 0;
    for (const double v : values) {
      const double z = (d.grid[g] - v) / d.sigma;
      d.density[g] += std::exp(-z * z / 2) / (d.sigma * std::sqrt(2 * M_PI) * static_cast<double>(values.size()));
    }
  }
  return d.density;
}

void draw_densities(common::Study& study, const std::vector<Runs>& all) {
  common::Figure figure;
  for (const Runs& runs : all) {
    const nn::SpectralDensity& d = runs.seeds[0].back().spectrum.density;
    common::Figure one{
        .name = "density",
        .title = fmt::format("{}: eigenvalues of the Hessian", runs.name()),
        .x = {.label = "eigenvalue"},
        .y = {.label = "density (per unit of eigenvalue)", .logarithmic = true, .from = 1e-6, .to = 1},
        .series = {{"Lanczos quadrature", d.grid, d.density, {}, {}, common::Series::Look::line},
                   {"all eigenvalues", d.grid, smoothed(runs.eigenvalues[0], d), {}, {}, common::Series::Look::line}}};
    if (figure.series.empty())
      figure = one;
    else
      figure.beside.push_back(one);
  }
  study.add(figure);
}

void draw_moments(common::Study& study, const std::vector<Runs>& all, const Plan& plan) {
  const auto diagram = [&](const char* title, const char* label, double (*of)(const Moment&)) {
    common::Figure figure{.name = "moments",
                          .title = title,
                          .x = {.label = "epochs of training"},
                          .y = {.label = label},
                          .series = {},
                          .key = "bottom right"};
    for (const Runs& runs : all) {
      common::Series series{.label = runs.name(), .x = {}, .y = {}};
      for (std::size_t m = 0; m < plan.moments.size(); ++m) {
        const common::Spread spread = runs.at(m, of);
        series.x.push_back(plan.moments[m]);
        series.y.push_back(spread.mean);
        series.low.push_back(spread.mean - spread.deviation);
        series.high.push_back(spread.mean + spread.deviation);
      }
      figure.series.push_back(series);
    }
    return figure;
  };
  common::Figure figure = diagram("Eigenvalues near zero", "share of all", near_zero);
  figure.beside = {diagram("Accuracy on new images", "share of images", test_accuracy)};
  study.add(figure);
}

/// The share of eigenvalues up to each size, relative to the highest, over all seeds.
void draw_sizes(common::Study& study, const std::vector<Runs>& all) {
  common::Figure figure{.name = "sizes",
                        .title = "How many eigenvalues are how small (after training)",
                        .x = {.label = "size / highest eigenvalue", .logarithmic = true, .from = 1e-12, .to = 1},
                        .y = {.label = "share of eigenvalues up to it", .from = 0, .to = 1.25},
                        .series = {}};
  for (const Runs& runs : all) {
    common::Series series{.label = runs.name(), .x = {}, .y = {}, .look = common::Series::Look::line};
    for (double power = -12; power <= 0; power += 0.25) {
      std::vector<double> shares;
      for (const auto& values : runs.eigenvalues) shares.push_back(exact(values, std::pow(10, power)).near_zero);
      const common::Spread spread(shares);
      series.x.push_back(std::pow(10, power));
      series.y.push_back(spread.mean);
      series.low.push_back(spread.mean - spread.deviation);
      series.high.push_back(spread.mean + spread.deviation);
    }
    figure.series.push_back(series);
  }
  study.add(figure);
}

/// Is the share of degenerate eigenvalues another in the one kind of net, over the seeds?
common::Comparison compared(const Runs& with, const Runs& without) {
  const common::Spread a = degenerate_share(with), b = degenerate_share(without);
  std::vector<double> differences;
  for (std::size_t s = 0; s < a.values.size(); ++s) differences.push_back(a.values[s] - b.values[s]);
  return common::paired(differences);
}

void add_effect(common::Study& study, const Runs& with, const Runs& without, const char* published) {
  const common::Comparison c = compared(with, without);
  const double a = degenerate_share(with).mean, b = degenerate_share(without).mean;
  study.add(common::Effect{
      fmt::format("a {} net has fewer degenerate eigenvalues than a {} one", with.name(), without.name()), published,
      fmt::format("{:.3f} against {:.3f}, p = {:.2g}", a, b, c.p), c.difference < 0 && c.significant()});
  study.more()["degenerate"][with.name()] = a;
  study.more()["degenerate"][without.name()] = b;
}

std::string verdict_of(const std::vector<Runs>& all) {
  std::string text = fmt::format("After training, degenerate eigenvalues (at most {} of the highest) are", degenerate);
  for (const Runs& runs : all)
    text += fmt::format("{} {:.1f} % in the {} nets (accuracy on new images {:.3f})", &runs == &all.front() ? "" : ",",
                        100 * degenerate_share(runs).mean, runs.name(),
                        runs.at(runs.seeds[0].size() - 1, test_accuracy).mean);
  const auto says = [&](std::size_t with, std::size_t without) {
    const common::Comparison c = compared(all[with], all[without]);
    return fmt::format("{} nets have {} than {} ones (p = {:.2g})", all[with].name(),
                       !c.significant()   ? "neither fewer nor more, beyond chance,"
                       : c.difference < 0 ? "fewer"
                                          : "more",
                       all[without].name(), c.p);
  };
  return text + ". Of these, " + says(1, 0) + ", " + says(2, 0) + " and " + says(2, 1) +
         "; Orhan and Pitkow found fewer the more shortcuts there are.";
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study("singularities", "Do shortcuts make the Hessian of a deep net less degenerate?",
                      "Plain, residual and hyper-residual nets are trained on reduced Fashion-MNIST; the spectra of "
                      "their Hessians come from Lanczos's method, checked against all eigenvalues.");
  std::string directory = "/usr/share/datasets/fashion-mnist";
  study.app().add_option("--data", directory, "where Fashion-MNIST's files are");
  return study.run(argc, argv, [&] {
    const Plan plan =
        study.quick ? Plan{10, 9, 500, 2, 120, {0, 10, 150}} : Plan{14, 10, 2000, 4, 150, {0, 5, 20, 50, 100}};
    const Data data{small_images(directory, nn::Split::train, plan.images),
                    small_images(directory, nn::Split::test, 2000)};
    std::vector<Runs> all{{.kind = Wiring::plain}, {.kind = Wiring::residual}, {.kind = Wiring::hyper}};
    nn::Progress progress("nets", 3 * study.seeds);
    std::int64_t done = 0;
    for (Runs& runs : all)
      for (const std::uint64_t seed : study.all_seeds()) {
        manual_seed(seed);
        Net net(runs.kind, 49, plan.depth, plan.width);
        runs.seeds.push_back(trained(net, data, plan, seed));
        runs.eigenvalues.push_back(exact_eigenvalues(hessian_now(net, data.train)));
        progress.update(++done);
      }
    add_moments(study, all, plan);
    add_check(study, all);
    draw_densities(study, all);
    draw_sizes(study, all);
    draw_moments(study, all, plan);
    add_effect(study, all[1], all[0], "residual nets less degenerate than plain ones");
    add_effect(study, all[2], all[1], "hyper-residual nets the least degenerate");
    study.verdict(verdict_of(all));
  });
}

// Do residual nets change the signal less in each layer? The standard deviation of every layer's response, plain
// against residual (He et al., arXiv 1512.03385, figure 7).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <span>
#include <weft/weft.hpp>

#include "common/statistics.hpp"
#include "common/study.hpp"

using namespace weft;

namespace {

/// Sizes of the work.
struct Plan {
  std::vector<int> depths;
  std::int64_t shrink, images, batch, steps, looked_at;
};

nn::ModulePtr net_of(bool residual, int depth) {
  return residual ? nn::resnet_cifar(depth, nn::ShortcutOption::A, false, 1) : nn::plain_net(depth, 1);
}

nn::Dataset images(const std::string& directory, nn::Split split, std::int64_t count, std::int64_t shrink) {
  nn::Dataset data = nn::head(nn::fashion_mnist(directory, split), count);
  if (shrink > 1) data.x = avg_pool2d(data.x, {.kernel = shrink});
  data.x = (data.x - 0.286) / 0.353;
  return data;
}

/// Trains as the paper does, momentum 0.9 and decay 1e-4, for a while; with one cycle of the rate up to 0.1.
void train(nn::Module& net, const nn::Dataset& data, const Plan& plan, std::uint64_t seed) {
  nn::DataLoader loader(data, {.batch_size = plan.batch, .shuffle = true, .seed = seed, .drop_last = true});
  nn::Sgd optimiser(net, {.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-4});
  nn::OneCycleLr schedule(optimiser, {.max_lr = 0.1, .total_steps = plan.steps});
  for (std::int64_t step = 0; step < plan.steps;)
    for (auto [x, y] : loader) {
      if (step++ == plan.steps) break;
      optimiser.zero_grad();
      nn::cross_entropy(net(x), y).backward();
      optimiser.step();
      schedule.step();
    }
}

/// The standard deviation of what each batch norm gives: after every 3x3 convolution, before ReLU and addition.
struct Responses {
  std::vector<double> deviations;  // from the input to the output
  double accuracy;
};

/// In evaluation, by the statistics of training images as the net is now, not as they moved during training.
Responses responses_of(nn::Module& net, const nn::Dataset& training, const nn::Dataset& data) {
  const NoGrad off;
  nn::update_batch_norm(net, std::vector<Tensor>{nn::head(training, data.size()).x});
  net.eval();
  Responses seen;
  const auto hook = net.register_forward_hook(
      "*bn*", [&](nn::Module&, const Tensor&, const Tensor& y) { seen.deviations.push_back(stddev(y).item()); });
  seen.accuracy = mean(equal(argmax(net(data.x), 1), data.y)).item();
  return seen;
}

/// A net of one kind and depth over all seeds.
struct Runs {
  bool residual;
  int depth;
  std::vector<Responses> seeds = {};

  std::string name() const { return fmt::format("{}-{}", residual ? "residual" : "plain", depth); }
  /// Of each layer the mean over the seeds.
  std::vector<double> by_layer() const {
    std::vector<double> means(seeds[0].deviations.size());
    for (const Responses& r : seeds)
      for (std::size_t l = 0; l < means.size(); ++l) means[l] += r.deviations[l] / static_cast<double>(seeds.size());
    return means;
  }
  /// Of each seed.
  common::Spread over_layers(const std::function<double(const Responses&)>& of) const {
    std::vector<double> values;
    for (const Responses& r : seeds) values.push_back(of(r));
    return common::Spread(values);
  }
  common::Spread mean_deviation() const {
    return over_layers([](const Responses& r) { return common::mean(r.deviations); });
  }
  common::Spread median_deviation() const {
    return over_layers([](const Responses& r) { return common::median(r.deviations); });
  }
};

void add_table(common::Study& study, const std::vector<Runs>& all) {
  common::Table table{"Standard deviation of the layers' responses",
                      {"net", "3x3 layers", "mean", "median", "of the last layer", "accuracy, test"}};
  for (const Runs& runs : all) {
    table.add({runs.name(), static_cast<std::int64_t>(runs.seeds[0].deviations.size()), runs.mean_deviation(),
               runs.median_deviation(), runs.over_layers([](const Responses& r) { return r.deviations.back(); }),
               runs.over_layers([](const Responses& r) { return r.accuracy; })});
    study.more()["by_layer"][runs.name()] = runs.by_layer();
    study.more()["mean"][runs.name()] = runs.mean_deviation().mean;
  }
  study.add(table);
}

common::Figure diagram(const std::string& title, const char* label, std::span<const Runs> shown, bool sorted) {
  common::Figure figure{.name = "responses",
                        .title = title,
                        .x = {.label = label},
                        .y = {.label = "standard deviation of the response"},
                        .series = {}};
  for (const Runs& runs : shown) {
    common::Series series{.label = runs.name(), .x = {}, .y = runs.by_layer(), .look = common::Series::Look::line};
    if (sorted) std::ranges::sort(series.y, std::greater());
    for (std::size_t l = 0; l < series.y.size(); ++l) series.x.push_back(static_cast<double>(l + 1));
    figure.series.push_back(series);
  }
  return figure;
}

// Each kind by itself: a plain net that hardly learns has another scale.
void draw(common::Study& study, const std::vector<Runs>& all) {
  const std::span<const Runs> plain(all.data(), all.size() / 2), residual(all.data() + plain.size(), plain.size());
  common::Figure figure = diagram("Plain nets", "layer (from the input)", plain, false);
  figure.beside = {diagram("Residual nets", "layer (from the input)", residual, false),
                   diagram("All, sorted", "rank of the layer", all, true)};
  study.add(figure);
}

/// Is it smaller on every seed, by more than a hundredth?
bool smaller(const common::Spread& a, const common::Spread& b) {
  for (std::size_t s = 0; s < a.values.size(); ++s)
    if (a.values[s] >= 0.99 * b.values[s]) return false;
  return true;
}

void judge(common::Study& study, const std::vector<Runs>& all) {
  const std::size_t depths = all.size() / 2;  // plain nets first, then residual ones
  const Runs &deep = all.back(), &shallow = all[depths];
  int by_mean = 0, by_median = 0;
  for (std::size_t d = 0; d < depths; ++d) {
    by_mean += smaller(all[depths + d].mean_deviation(), all[d].mean_deviation()) ? 1 : 0;
    by_median += smaller(all[depths + d].median_deviation(), all[d].median_deviation()) ? 1 : 0;
  }
  const auto pair = [](const Runs& a, const Runs& b) {
    return fmt::format("{} {:.3f}, {} {:.3f}", a.name(), a.mean_deviation().mean, b.name(), b.mean_deviation().mean);
  };
  const int count = static_cast<int>(depths);
  const std::string at =
      fmt::format("by the mean over layers at {} of {} depths, by the median at {}", by_mean, count, by_median);
  study.add(common::Effect{"residual nets respond less than plain ones of the same depth", "at 20 and 56 layers", at,
                           by_mean == count && by_median == count});
  const bool with_depth = smaller(deep.mean_deviation(), shallow.mean_deviation());
  study.add(common::Effect{"the deeper the residual net, the less each layer responds", "20 > 56 > 110 layers",
                           pair(shallow, deep), with_depth});
  study.verdict(
      fmt::format("On every seed, and by more than a hundredth, the layers of the residual net respond less than those "
                  "of the plain "
                  "one {} ({}). {}: {}.",
                  at, pair(deep, all[depths - 1]),
                  with_depth ? "A deeper residual net changes the signal less in each layer"
                             : "That a deeper residual net changes the signal less in each layer did not appear",
                  pair(shallow, deep)));
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study("responses", "Do the layers of a residual net change the signal less than those of a plain one?",
                      "Plain and residual nets of three depths are trained for a while on Fashion-MNIST; forward hooks "
                      "on every batch norm tell the standard deviation of its output.");
  study.seeds = 2;
  study.quick_seeds = 1;
  std::string directory = "/usr/share/datasets/fashion-mnist";
  study.app().add_option("--data", directory, "where Fashion-MNIST's files are");
  return study.run(argc, argv, [&] {
    const Plan plan =
        study.quick ? Plan{{20, 32, 56}, 4, 4000, 32, 600, 500} : Plan{{20, 44, 56}, 2, 30000, 64, 700, 1000};
    const nn::Dataset training = images(directory, nn::Split::train, plan.images, plan.shrink),
                      test = images(directory, nn::Split::test, plan.looked_at, plan.shrink);
    std::vector<Runs> all;
    nn::Progress progress("nets", static_cast<std::int64_t>(2 * plan.depths.size()) * study.seeds);
    std::int64_t done = 0;
    for (const bool residual : {false, true})
      for (const int depth : plan.depths) {
        all.push_back({residual, depth});
        for (const std::uint64_t seed : study.all_seeds()) {
          manual_seed(seed);
          const nn::ModulePtr net = net_of(residual, depth);
          train(*net, training, plan, seed);
          all.back().seeds.push_back(responses_of(*net, training, test));
          progress.update(++done);
        }
      }
    add_table(study, all);
    draw(study, all);
    judge(study, all);
  });
}

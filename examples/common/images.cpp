#include "images.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

#include <weft/weft.hpp>

namespace nn = weft::nn;
using weft::Tensor;

namespace common {
namespace {

nn::Dataset first(const nn::Dataset& all, std::int64_t count, int shrink, const char* option) {
  if (count > all.size()) weft::fail(option, ": got ", count, ", needs at most ", all.size());
  nn::Dataset data = nn::head(all, count);
  if (shrink > 1) data.x = weft::avg_pool2d(data.x, {.kernel = shrink, .stride = shrink});
  return data;
}

Tensor standardised(const Tensor& x, const nn::ChannelStats& stats) {
  const auto channels = static_cast<std::int64_t>(stats.mean.size());
  return (x - weft::tensor(stats.mean, {channels})) / weft::tensor(stats.stddev, {channels});
}

// Sums over what has been seen.
struct Totals {
  double loss = 0, wrong = 0, images = 0;

  void add(const Tensor& batch_loss, const Tensor& logits, const Tensor& y) {
    const weft::NoGrad off;
    const auto n = static_cast<double>(y.size());
    loss += batch_loss.item() * n;
    wrong += n - weft::sum(weft::equal(weft::argmax(logits, 1), y).to(weft::f32)).item();
    images += n;
  }
  Score score() const { return {loss / images, 100 * wrong / images}; }
};

std::unique_ptr<nn::Schedule> schedule_of(nn::Sgd& sgd, const Recipe& recipe, std::int64_t steps) {
  if (!recipe.milestones.empty())
    return std::make_unique<nn::MultiStepLr>(sgd, nn::MultiStepLrOptions{.milestones = recipe.milestones});
  return std::make_unique<nn::OneCycleLr>(sgd, nn::OneCycleLrOptions{.max_lr = recipe.lr, .total_steps = steps});
}

}  // namespace

void ImageOptions::add_to(CLI::App& app) {
  app.add_option("--cifar", cifar, "directory of CIFAR-10's binary files, in place of Fashion-MNIST")
      ->check(CLI::ExistingDirectory);
  app.add_option("--fashion", fashion, "directory of Fashion-MNIST's files");
  app.add_option("--images", train, "training images; 0: as many as the study takes")->check(CLI::NonNegativeNumber);
  app.add_option("--test-images", test, "test images; 0: likewise")->check(CLI::NonNegativeNumber);
  app.add_option("--shrink", shrink, "squares of so many by so many pixels become one; 0: likewise")
      ->check(CLI::Range(0, 4));
}

ImageOptions ImageOptions::or_else(const ImageOptions& defaults) const {
  return {cifar, fashion, train > 0 ? train : defaults.train, test > 0 ? test : defaults.test,
          shrink > 0 ? shrink : defaults.shrink};
}

ImageSets read_images(const ImageOptions& o) {
  const weft::NoGrad off;
  const auto read = o.cifar.empty() ? nn::fashion_mnist : nn::cifar10;
  const auto part = [&](nn::Split split, std::int64_t count, const char* option) {
    return first(read(o.cifar.empty() ? o.fashion : o.cifar, split), count, o.shrink, option);
  };
  ImageSets data{{}, part(nn::Split::train, o.train, "--images"), part(nn::Split::test, o.test, "--test-images")};
  const nn::ChannelStats stats = nn::channel_stats(data.train.x);
  data.train.x = standardised(data.train.x, stats);
  data.test.x = standardised(data.test.x, stats);
  data.name = fmt::format("{}, {} images of {}x{}", o.cifar.empty() ? "Fashion-MNIST" : "CIFAR-10", data.train.size(),
                          data.train.x.size(1), data.train.x.size(2));
  return data;
}

ImageSets cifar_shaped_noise(std::int64_t images) {
  const auto noise = [&] { return nn::Dataset{weft::randn({images, 32, 32, 3}), weft::randint(0, 10, {images})}; };
  return {"noise", noise(), noise()};
}

nn::ModulePtr deep_net(bool residual, std::int64_t depth, const ImageSets& data) {
  return residual ? nn::resnet_cifar(depth, nn::ShortcutOption::A, false, data.channels())
                  : nn::plain_net(depth, data.channels());
}
std::string net_name(bool residual, std::int64_t depth) {
  return fmt::format("{}-{}", residual ? "ResNet" : "plain", depth);
}
std::string net_key(bool residual, std::int64_t depth) {
  return fmt::format("{}-{}", residual ? "residual" : "plain", depth);
}

Recipe paper_recipe(const ImageSets& data) {
  Recipe recipe{.batch = 128, .lr = 0.1, .weight_decay = 1e-4, .nesterov = false, .augment = true};
  recipe.milestones = {32000, 48000};
  recipe.steps = 64000;
  const std::int64_t an_epoch = (data.train.size() + recipe.batch - 1) / recipe.batch;
  recipe.epochs = static_cast<int>((recipe.steps + an_epoch - 1) / an_epoch);
  return recipe;
}

std::vector<Score> train(nn::Module& net, const ImageSets& data, const Recipe& recipe, std::uint64_t seed,
                         const std::string& label) {
  nn::DataLoader loader(data.train, {.batch_size = recipe.batch,
                                     .shuffle = true,
                                     .seed = seed,
                                     .augment = {.crop_padding = recipe.augment ? 4 : 0, .flip = recipe.augment}});
  const std::int64_t all = recipe.epochs * loader.batches();
  const std::int64_t last = recipe.steps > 0 ? std::min(recipe.steps, all) : all;
  nn::Sgd sgd(net.parameters(),
              {.lr = recipe.lr, .momentum = 0.9, .weight_decay = recipe.weight_decay, .nesterov = recipe.nesterov});
  const auto schedule = schedule_of(sgd, recipe, last);
  nn::Progress bar(label, last);
  std::vector<Score> scores;
  std::int64_t step = 0;
  net.train();
  while (step < last) {
    Totals totals;
    for (const auto& [x, y] : loader) {
      if (step == last) break;
      sgd.zero_grad();
      const Tensor logits = net(x), loss = nn::cross_entropy(logits, y);
      totals.add(loss, logits, y);
      if (!std::isfinite(totals.loss)) weft::fail(label, ": the loss is no longer finite at step ", step + 1);
      loss.backward();
      sgd.step();
      schedule->step();
      bar.update(++step, {{"loss", totals.score().loss}, {"error %", totals.score().error}});
    }
    scores.push_back(totals.score());
  }
  return scores;
}

Score evaluate(nn::Module& net, const nn::Dataset& data) {
  const weft::NoGrad off;
  const bool training = net.is_training();
  net.eval();
  Totals totals;
  for (std::int64_t at = 0; at < data.size(); at += 250) {
    const std::int64_t to = std::min(at + 250, data.size());
    const Tensor y = weft::slice(data.y, 0, at, to), logits = net(weft::slice(data.x, 0, at, to));
    totals.add(nn::cross_entropy(logits, y), logits, y);
  }
  net.train(training);
  return totals.score();
}

}  // namespace common

#pragma once
// What the studies of image classifiers share: the images, the nets of He et al., the training loop.
#include <cstdint>
#include <string>
#include <vector>

#include <weft/nn/data/dataset.hpp>
#include <weft/nn/module.hpp>

namespace CLI {
class App;
}

namespace common {

/// Which images, and how many. 0 stands for what the study takes by default.
struct ImageOptions {
  std::string cifar = {};  ///< the directory of CIFAR-10's binary files; empty: Fashion-MNIST
  std::string fashion = "/usr/share/datasets/fashion-mnist";  ///< where Debian's package puts its files
  std::int64_t train = 0, test = 0;                           ///< images, the first ones of each file
  int shrink = 0;  ///< the side of the squares of pixels that are averaged; 1: none are

  /// --cifar, --fashion, --images, --test-images and --shrink.
  void add_to(CLI::App& app);
  /// The same with the defaults in the places of zeros.
  ImageOptions or_else(const ImageOptions& defaults) const;
};

/// Images with the training images' mean 0 and variance 1 in every channel, labels 0 to 9.
struct ImageSets {
  std::string name;  ///< "Fashion-MNIST, 2000 images of 14x14"
  weft::nn::Dataset train, test;
  std::int64_t channels() const { return train.x.size(3); }
};
/// Throws weft::Error if files are missing or there are fewer images.
ImageSets read_images(const ImageOptions& options);
/// Noise in the shape of CIFAR-10's images, to measure time with.
ImageSets cifar_shaped_noise(std::int64_t images);

/// resnet_cifar (option A) or plain_net, of the same number of parameters.
weft::nn::ModulePtr deep_net(bool residual, std::int64_t depth, const ImageSets& data);
/// "ResNet-20", "plain-20"
std::string net_name(bool residual, std::int64_t depth);
/// The same, with "residual" and "plain", for keys of result.json.
std::string net_key(bool residual, std::int64_t depth);

/// Stochastic gradient descent with momentum 0.9.
struct Recipe {
  int epochs = 10;
  std::int64_t batch = 64;
  double lr = 0.1, weight_decay = 5e-4;
  bool nesterov = true;
  bool augment = false;                       ///< shifts of up to 4 pixels, and mirroring
  std::vector<std::int64_t> milestones = {};  ///< steps after which the rate is a tenth; none: one cycle to lr
  std::int64_t steps = 0;                     ///< ends there; 0: with the last epoch
};
/// He et al., arXiv 1512.03385, section 4.2: batches of 128, 64,000 steps, a tenth of the rate after 32,000 and 48,000.
Recipe paper_recipe(const ImageSets& data);

/// Mean cross-entropy, and the share of images that are put into a wrong class, in percent.
struct Score {
  double loss = 0, error = 0;
};

/// Trains with this order of the images; gives for each epoch what the batches' losses and errors were as they came.
/// Throws weft::Error if the loss is no longer finite.
std::vector<Score> train(weft::nn::Module& net, const ImageSets& data, const Recipe& recipe, std::uint64_t seed,
                         const std::string& label);

/// In evaluation mode, nothing recorded; the module is in the mode it was in afterwards.
Score evaluate(weft::nn::Module& net, const weft::nn::Dataset& data);

}  // namespace common

// What a shortcut is for: a thousand layers that train with it, and do not without.
#include <doctest/doctest.h>
#include <weft/weft.hpp>

using namespace weft;

namespace {

// 784 inputs, then a thousand hidden layers of 32 with ReLU and He's weights: plain, or each beside the identity and
// scaled by a number that begins at 0 (Bachlechner et al., arXiv 2003.04887).
nn::ModulePtr thousand_layers(bool rezero) {
  constexpr std::int64_t width = 32;
  auto net = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(784, width), nn::ReLU());
  for (int i = 0; i < 1000; ++i) {
    const auto body = nn::make<nn::Sequential>(nn::Linear(width, width), nn::ReLU());
    nn::kaiming_(body->at("0").parameters()[0]);
    net->append(rezero ? nn::make<nn::ReZero>(body) : body);
  }
  net->append(nn::make<nn::Linear>(width, 10));
  return net;
}

double accuracy(nn::Module& net, const nn::Dataset& data) {
  const NoGrad off;
  return mean(equal(argmax(net(data.x), -1), data.y)).item();
}

// The best training accuracy after up to so many epochs; it stops at 0.9.
double best_accuracy(bool rezero, const nn::Dataset& data, int epochs) {
  manual_seed(1);
  const nn::ModulePtr net = thousand_layers(rezero);
  nn::Adam adam(*net, {.lr = 1e-3});
  nn::DataLoader loader(data, {.batch_size = 50, .shuffle = true, .seed = 1});
  double best = 0;
  for (int epoch = 0; epoch < epochs && best < 0.9; ++epoch) {
    for (const auto& [x, y] : loader) {
      adam.zero_grad();
      nn::cross_entropy((*net)(x), y).backward();
      adam.step();
    }
    best = std::max(best, accuracy(*net, data));
  }
  return best;
}

}  // namespace

TEST_CASE("a thousand layers learn Fashion-MNIST with ReZero, and nothing without") {
  const nn::Dataset data = nn::head(nn::fashion_mnist("/usr/share/datasets/fashion-mnist", nn::Split::train), 1000);
  CHECK(best_accuracy(true, data, 40) >= 0.9);
  CHECK(best_accuracy(false, data, 10) < 0.2);  // one of ten classes is chance
}

// Training gives the same bits on any number of threads.
#include <doctest/doctest.h>
#include <tests/support/same.hpp>
#include <tests/support/sanitized.hpp>
#include <weft/weft.hpp>

using namespace weft;

namespace {

struct Reader : nn::Module {
  nn::Child<nn::Embedding> table{this, "table", 50, 48};
  nn::Child<nn::Lstm> lstm{this, "lstm", 48, 96, nn::RecurrentOptions{.bidirectional = true}};
  nn::Child<nn::TransformerBlock> block{this, "block", 192, 4};
  nn::Child<nn::Linear> out{this, "out", 192, 10};
  Tensor forward(const Tensor& ids) override { return out(mean(block(lstm(table(ids))), 1)); }
};

// Losses and everything that is trained after some steps.
Tensors trained(const std::function<nn::ModulePtr()>& make_net, const Tensor& x, int threads) {
  set_num_threads(threads);
  manual_seed(7);
  const nn::ModulePtr net = make_net();
  nn::Adam adam(*net, {.lr = 1e-3});
  const Tensor y = randint(0, 10, {x.size(0)});
  Tensors all;
  for (int step = 0; step < 2; ++step) {
    adam.zero_grad();
    const Tensor loss = nn::cross_entropy((*net)(x), y);
    loss.backward();
    adam.step();
    all.push_back(loss.detach());
  }
  for (const auto& [name, t] : nn::state(*net)) all.push_back(t);
  for (const Tensor& p : net->parameters()) all.push_back(p.grad());
  return all;
}

void check(const char* name, const std::function<nn::ModulePtr()>& make_net, const Tensor& x) {
  CAPTURE(name);
  const int before = num_threads();
  const Tensors one = trained(make_net, x, 1);
  for (const int threads : test::sanitized ? std::vector{2} : std::vector{2, 3}) {
    const Tensors several = trained(make_net, x, threads);
    std::size_t different = 0;
    for (std::size_t i = 0; i < one.size(); ++i) different += !same_bits(one[i], several[i]);
    CHECK(different == 0);
  }
  set_num_threads(before);
}

}  // namespace

TEST_CASE("training has the same bits on any number of threads") {
  manual_seed(1);
  const std::int64_t n = test::sanitized ? 4 : 16;  // of each kind of input
  const Tensor images = randn({n, 32, 32, 3}), digits = randn({8 * n, 784});
  check(
      "resnet", [] { return nn::resnet_cifar(8, nn::ShortcutOption::B); }, images);
  check(
      "densenet", [] { return nn::densenet(10, 12, true, 0.5); }, images);
  check(
      "mlp",
      [] {
        return nn::make<nn::Sequential>(nn::Linear(784, 512), nn::ReLU(), nn::LayerNorm(512), nn::Linear(512, 512),
                                        nn::Tanh(), nn::Dropout(0.2), nn::Linear(512, 10));
      },
      digits);
  check(
      "reader", [] { return nn::make<Reader>(); }, randint(0, 50, {2 * n, 24}));
  check(
      "depthwise",
      [] {
        return nn::make<nn::Sequential>(nn::Conv2d(3, 32, {.kernel = 5, .padding = 2}), nn::GroupNorm(4, 32),
                                        nn::ReLU(), nn::Conv2d(32, 32, {.padding = 1, .groups = 32}), nn::MaxPool2d(),
                                        nn::ConvTranspose2d(32, 24, {.stride = 2}), nn::AvgPool2d(),
                                        nn::Conv2d(24, 80, {.kernel = 1}), nn::ReLU(),
                                        nn::Conv2d(80, 70, {.kernel = 1}), nn::GlobalAvgPool(), nn::Linear(70, 10));
      },
      images);
}

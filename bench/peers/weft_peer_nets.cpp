// The workloads of libtorch_peer.cpp in weft: training steps of whole nets.
#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/recompute.hpp>
#include <weft/nn/containers.hpp>
#include <weft/nn/layers/activation.hpp>
#include <weft/nn/layers/attention.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/nn/layers/recurrent.hpp>
#include <weft/nn/losses.hpp>
#include <weft/nn/models/densenet.hpp>
#include <weft/nn/models/resnet.hpp>
#include <weft/nn/train/adam.hpp>
#include <weft/nn/train/sgd.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

#include "weft_peer.hpp"

namespace peers {
namespace {

namespace nn = weft::nn;

template <class Optimizer>
void report_training(const std::string& name, nn::Module& net, Optimizer&& optimizer, const weft::Shape& input,
                     int repetitions, std::int64_t classes = 10) {
  const weft::Tensor x = weft::randn(input), y = weft::randint(0, classes, {input[0]});
  net.train();
  const double seconds = median_seconds(repetitions, 2, [&] {
    optimizer.zero_grad();
    nn::cross_entropy(net(x), y).backward();
    optimizer.step();
  });
  report(name, seconds, ms_per_step);
}

void report_images(const std::string& name, const nn::ModulePtr& net, const weft::Shape& input, int repetitions,
                   nn::SgdOptions options = {.momentum = 0.9, .weight_decay = 1e-4}) {
  options.lr = 0.1;
  report_training(name, *net, nn::Sgd(net->parameters(), options), input, repetitions);
}

// A step forward and backward, gradients of the weights and of x, without an optimiser.
void report_sequences(const std::string& name, nn::Module& net, const weft::Shape& input) {
  weft::Tensor x = weft::parameter(weft::randn(input));
  report(name,
         median_seconds(15, 3,
                        [&] {
                          net.zero_grad();
                          x.zero_grad();
                          mean(square(net(x))).backward();
                        }),
         ms_per_step);
}

nn::ModulePtr resnet(int depth, int channels) {
  return nn::resnet_cifar(depth, nn::ShortcutOption::B, false, channels, 10);
}

}  // namespace

void mlp() {
  weft::manual_seed(0);
  nn::Sequential net(nn::make<nn::Linear>(784, 512), nn::make<nn::ReLU>(), nn::make<nn::Linear>(512, 512),
                     nn::make<nn::ReLU>(), nn::make<nn::Linear>(512, 10));
  report_training("mlp_784_512_512_10_b128_adam", net, nn::Adam(net.parameters(), {.lr = 1e-3}), {128, 784}, 30);
}

void small_mlp() {
  weft::manual_seed(0);
  nn::Sequential net(nn::make<nn::Linear>(8, 32), nn::make<nn::Tanh>(), nn::make<nn::Linear>(32, 32),
                     nn::make<nn::Tanh>(), nn::make<nn::Linear>(32, 4));
  nn::Sgd sgd(net.parameters(), {.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-4});
  report_training("mlp_8_32_32_4_b32_sgd", net, sgd, {32, 8}, 300, 4);
}

void resnet20() {
  weft::manual_seed(0);
  report_images("resnet20_cifar_b64", resnet(20, 3), {64, 32, 32, 3}, 7);
}

// weft has one layout, which stands beside both of libtorch's.
void resnet20_channels_last() {
  weft::manual_seed(0);
  report_images("resnet20_cifar_b64_channels_last", resnet(20, 3), {64, 32, 32, 3}, 7);
}

void resnet20_fashion() {
  weft::manual_seed(0);
  report_images("resnet20_fashion_b128", resnet(20, 1), {128, 28, 28, 1}, 7,
                {.momentum = 0.9, .weight_decay = 5e-4, .nesterov = true});
}

void resnet110() {
  weft::manual_seed(0);
  report_images("resnet110_cifar_b64", resnet(110, 3), {64, 32, 32, 3}, 3);
}

void regression_mlp() {
  weft::manual_seed(0);
  nn::Sequential net(nn::make<nn::Linear>(8, 32), nn::make<nn::Tanh>(), nn::make<nn::Linear>(32, 32),
                     nn::make<nn::Tanh>(), nn::make<nn::Linear>(32, 1));
  nn::Adam adam(net.parameters(), {.lr = 1e-3});
  const weft::Tensor x = weft::randn({10'000, 8}), y = weft::randn({10'000, 1});
  report("mlp_8_32_32_1_b10000_adam",
         median_seconds(100, 5,
                        [&] {
                          adam.zero_grad();
                          nn::mse(net(x), y).backward();
                          adam.step();
                        }),
         ms_per_step);
}

void resnet1202() {
  weft::manual_seed(0);
  report_images("resnet1202_cifar_b32", resnet(1202, 3), {32, 32, 32, 3}, 1);
}

void densenet40() {
  weft::manual_seed(0);
  report_images("densenet40_k12_cifar_b64", nn::densenet(40, 12, false, 1.0), {64, 32, 32, 3}, 3);
}

// Norms and ReLUs are made again in the backward pass (weft::Recompute).
void densenet40_recompute() {
  weft::manual_seed(0);
  const weft::Recompute cheap;
  report_images("densenet40_k12_cifar_b64_recompute", nn::densenet(40, 12, false, 1.0), {64, 32, 32, 3}, 3);
}

void sequences() {
  weft::manual_seed(0);
  for (const SequenceCase& q : sequence_cases) {
    nn::Lstm lstm(q.in, q.hidden);
    nn::Gru gru(q.in, q.hidden);
    report_sequences(q.name("lstm"), lstm, {q.batch, q.time, q.in});
    report_sequences(q.name("gru"), gru, {q.batch, q.time, q.in});
  }
}

void transformer() {
  weft::manual_seed(0);
  for (const TransformerCase& q : transformer_cases) {
    nn::TransformerBlock block(q.features, q.heads);
    report_sequences(q.name(), block, {q.batch, q.time, q.features});
  }
}

}  // namespace peers

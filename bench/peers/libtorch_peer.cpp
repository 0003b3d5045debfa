// The workloads of weft_peer*.cpp in libtorch, case by case the same: shapes, values' distribution, repetitions.
#include <torch/torch.h>

#include "measure.hpp"

namespace {

using namespace peers;
using torch::Tensor;
namespace nn = torch::nn;

void report(const std::string& name, double seconds, const Unit& unit) {
  peers::report("libtorch", name, seconds, unit);
}

void forget_gradient(const Tensor& t) { t.mutable_grad() = Tensor(); }

// ---- engine

void dispatch_chain() {
  torch::manual_seed(0);
  const Tensor x = torch::randn({16}, torch::requires_grad());
  // Near 1: values and gradients of a long chain neither underflow, which has costs of its own, nor overflow.
  const Tensor c = 1.0 + 1e-3 * torch::randn({16});
  const double forward = median_seconds(30, 5, [&] {
    Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y + c;
  });
  report("dispatch_chain_fwd", forward, {"ns/node", 1e9, 1000});
  const double both = median_seconds(30, 5, [&] {
    Tensor y = x;
    for (int i = 0; i < 500; ++i) {
      y = y + c;
      y = y * c;
    }
    y.sum().backward();
    forget_gradient(x);
  });
  report("dispatch_chain", both, {"ns/node", 1e9, 1000});
}

void residual_mlp() {
  torch::manual_seed(0);
  std::vector<Tensor> weights;
  for (int i = 0; i < 1000; ++i) weights.push_back((0.01 * torch::randn({64, 64})).requires_grad_());
  const Tensor x = torch::randn({32, 64});
  const double seconds = median_seconds(7, 1, [&] {
    Tensor h = x;
    for (const Tensor& w : weights) h = h + torch::tanh(torch::mm(h, w));
    h.pow(2).mean().backward();
    for (const Tensor& w : weights) forget_gradient(w);
  });
  report("resmlp1000_w64_b32", seconds, {"us/layer", 1e6, 1000});
}

// ---- nets

nn::Conv2d convolution(int in, int out, int kernel, int stride, int padding) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(padding).bias(false));
}

// Two 3x3 convolutions beside an identity, or beside a 1x1 projection where the shape changes.
struct ResidualBlockImpl : nn::Module {
  nn::Sequential body, projection{nullptr};

  ResidualBlockImpl(int in, int out, int stride)
      : body(convolution(in, out, 3, stride, 1), nn::BatchNorm2d(out), nn::ReLU(), convolution(out, out, 3, 1, 1),
             nn::BatchNorm2d(out)) {
    register_module("body", body);
    if (in == out && stride == 1) return;
    projection =
        register_module("projection", nn::Sequential(convolution(in, out, 1, stride, 0), nn::BatchNorm2d(out)));
  }
  Tensor forward(const Tensor& x) {
    return torch::relu(body->forward(x) + (projection.is_empty() ? x : projection->forward(x)));
  }
};
TORCH_MODULE(ResidualBlock);

// He 2015's net for small images with projections (option B): 6n + 2 layers.
struct CifarResNetImpl : nn::Module {
  nn::Sequential features;
  nn::Linear classifier{64, 10};

  CifarResNetImpl(int depth, int channels) {
    features->push_back(convolution(channels, 16, 3, 1, 1));
    features->push_back(nn::BatchNorm2d(16));
    features->push_back(nn::ReLU());
    int width = 16;
    for (const int next : {16, 32, 64}) {
      for (int block = 0; block < (depth - 2) / 6; ++block) {
        features->push_back(ResidualBlock(width, next, width == next ? 1 : 2));
        width = next;
      }
    }
    register_module("features", features);
    register_module("classifier", classifier);
  }
  Tensor forward(const Tensor& x) { return classifier(features->forward(x).mean({2, 3})); }
};
TORCH_MODULE(CifarResNet);

// One layer whose output is appended to its input.
struct DenseLayerImpl : nn::Module {
  nn::Sequential body;

  DenseLayerImpl(int in, int growth) : body(nn::BatchNorm2d(in), nn::ReLU(), convolution(in, growth, 3, 1, 1)) {
    register_module("body", body);
  }
  Tensor forward(const Tensor& x) { return torch::cat({x, body->forward(x)}, 1); }
};
TORCH_MODULE(DenseLayer);

// DenseNet without bottlenecks or compression: three dense blocks, 3n + 4 layers.
struct CifarDenseNetImpl : nn::Module {
  nn::Sequential features;
  nn::Linear classifier{nullptr};

  CifarDenseNetImpl(int depth, int growth) {
    int width = 16;
    features->push_back(convolution(3, width, 3, 1, 1));
    for (int block = 0; block < 3; ++block) {
      for (int layer = 0; layer < (depth - 4) / 3; ++layer, width += growth)
        features->push_back(DenseLayer(width, growth));
      features->push_back(nn::BatchNorm2d(width));
      features->push_back(nn::ReLU());
      if (block == 2) break;
      features->push_back(convolution(width, width, 1, 1, 0));
      features->push_back(nn::AvgPool2d(2));
    }
    register_module("features", features);
    classifier = register_module("classifier", nn::Linear(width, 10));
  }
  Tensor forward(const Tensor& x) { return classifier(features->forward(x).mean({2, 3})); }
};
TORCH_MODULE(CifarDenseNet);

template <class Net, class Optimizer>
void report_training(const std::string& name, Net& net, Optimizer&& optimizer, const Tensor& x, int repetitions,
                     int classes = 10) {
  const Tensor y = torch::randint(0, classes, {x.size(0)});
  net->train();
  const double seconds = median_seconds(repetitions, 2, [&] {
    optimizer.zero_grad();
    torch::nll_loss(torch::log_softmax(net->forward(x), 1), y).backward();
    optimizer.step();
  });
  report(name, seconds, ms_per_step);
}

torch::optim::SGDOptions sgd_options(bool nesterov = false, double weight_decay = 1e-4) {
  return torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(nesterov).weight_decay(weight_decay);
}

template <class Net>
void report_images(const std::string& name, Net net, const Tensor& x, int repetitions,
                   const torch::optim::SGDOptions& options = sgd_options()) {
  report_training(name, net, torch::optim::SGD(net->parameters(), options), x, repetitions);
}

template <class Net>
Net channels_last(Net net) {
  for (Tensor& p : net->parameters())
    if (p.dim() == 4) p.set_data(p.contiguous(torch::MemoryFormat::ChannelsLast));
  return net;
}

void mlp() {
  torch::manual_seed(0);
  nn::Sequential net(nn::Linear(784, 512), nn::ReLU(), nn::Linear(512, 512), nn::ReLU(), nn::Linear(512, 10));
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(1e-3));
  report_training("mlp_784_512_512_10_b128_adam", net, adam, torch::randn({128, 784}), 30);
}

void small_mlp() {
  torch::manual_seed(0);
  nn::Sequential net(nn::Linear(8, 32), nn::Tanh(), nn::Linear(32, 32), nn::Tanh(), nn::Linear(32, 4));
  torch::optim::SGD sgd(net->parameters(), sgd_options());
  report_training("mlp_8_32_32_4_b32_sgd", net, sgd, torch::randn({32, 8}), 300, 4);
}

void resnet20() {
  torch::manual_seed(0);
  report_images("resnet20_cifar_b64", CifarResNet(20, 3), torch::randn({64, 3, 32, 32}), 7);
}

void resnet20_channels_last() {
  torch::manual_seed(0);
  report_images("resnet20_cifar_b64_channels_last", channels_last(CifarResNet(20, 3)),
                torch::randn({64, 3, 32, 32}).contiguous(torch::MemoryFormat::ChannelsLast), 7);
}

// In the layout that is better here, the one of PyTorch's usual training script.
void resnet20_fashion() {
  torch::manual_seed(0);
  report_images("resnet20_fashion_b128", channels_last(CifarResNet(20, 1)),
                torch::randn({128, 1, 28, 28}).contiguous(torch::MemoryFormat::ChannelsLast), 7,
                sgd_options(true, 5e-4));
}

void resnet110() {
  torch::manual_seed(0);
  report_images("resnet110_cifar_b64", CifarResNet(110, 3), torch::randn({64, 3, 32, 32}), 3);
}

void regression_mlp() {
  torch::manual_seed(0);
  nn::Sequential net(nn::Linear(8, 32), nn::Tanh(), nn::Linear(32, 32), nn::Tanh(), nn::Linear(32, 1));
  torch::optim::Adam adam(net->parameters(), torch::optim::AdamOptions(1e-3));
  const Tensor x = torch::randn({10'000, 8}), y = torch::randn({10'000, 1});
  report("mlp_8_32_32_1_b10000_adam",
         median_seconds(100, 5,
                        [&] {
                          adam.zero_grad();
                          torch::mse_loss(net->forward(x), y).backward();
                          adam.step();
                        }),
         ms_per_step);
}

void resnet1202() {
  torch::manual_seed(0);
  report_images("resnet1202_cifar_b32", CifarResNet(1202, 3), torch::randn({32, 3, 32, 32}), 1);
}

void densenet40(const std::string& name) {
  torch::manual_seed(0);
  report_images(name, CifarDenseNet(40, 12), torch::randn({64, 3, 32, 32}), 3);
}
void densenet40() { densenet40("densenet40_k12_cifar_b64"); }
// The same step again: what weft's with recomputation stands beside.
void densenet40_recompute() { densenet40("densenet40_k12_cifar_b64_recompute"); }

// A step forward and backward, gradients of the weights and of x, without an optimiser.
template <class Run>
void report_sequences(const std::string& name, nn::Module& net, const SequenceCase& q, int features, Run run) {
  const Tensor x = torch::randn({q.batch, q.time, features}, torch::requires_grad());
  report(name,
         median_seconds(15, 3,
                        [&] {
                          net.zero_grad();
                          forget_gradient(x);
                          run(x).pow(2).mean().backward();
                        }),
         ms_per_step);
}

void sequences() {
  torch::manual_seed(0);
  for (const SequenceCase& q : sequence_cases) {
    nn::LSTM lstm(nn::LSTMOptions(q.in, q.hidden).batch_first(true));
    nn::GRU gru(nn::GRUOptions(q.in, q.hidden).batch_first(true));
    report_sequences(q.name("lstm"), *lstm, q, q.in, [&](const Tensor& x) { return std::get<0>(lstm(x)); });
    report_sequences(q.name("gru"), *gru, q, q.in, [&](const Tensor& x) { return std::get<0>(gru(x)); });
  }
}

// Vaswani's encoder layer with the normalisation first, which torch::nn's cannot have, by plain code.
struct TransformerBlockImpl : nn::Module {
  nn::LayerNorm norm1, norm2;
  nn::MultiheadAttention attention;
  nn::Linear linear1, linear2;

  TransformerBlockImpl(int features, int heads)
      : norm1(nn::LayerNormOptions({features})),
        norm2(nn::LayerNormOptions({features})),
        attention(nn::MultiheadAttentionOptions(features, heads)),
        linear1(features, 4 * features),
        linear2(4 * features, features) {
    register_module("norm1", norm1);
    register_module("norm2", norm2);
    register_module("attention", attention);
    register_module("linear1", linear1);
    register_module("linear2", linear2);
  }
  Tensor forward(const Tensor& x) {  // {time, batch, features}, which its attention wants
    const Tensor h = norm1(x);
    const Tensor y = x + std::get<0>(attention->forward(h, h, h, {}, /*need_weights=*/false));
    return y + linear2(torch::gelu(linear1(norm2(y))));
  }
};
TORCH_MODULE(TransformerBlock);

void transformer() {
  torch::manual_seed(0);
  for (const TransformerCase& q : transformer_cases) {
    TransformerBlock block(q.features, q.heads);
    report_sequences(q.name(), *block, {q.time, q.batch, 0, 0}, q.features, [&](const Tensor& x) { return block(x); });
  }
}

// ---- single ops

template <class F>
void report_op(const std::string& name, int repetitions, F op) {
  report(name, median_seconds(repetitions, 5, [&] { const Tensor result = op(); }), us);
}

void elementwise() {
  const torch::NoGradGuard off;
  torch::manual_seed(0);
  for (const int n : elementwise_sizes) {
    const Tensor a = torch::randn({n}), b = torch::randn({n});
    const std::string size = std::to_string(n);
    const int repetitions = n > 1'000'000 ? 15 : 300;
    report_op("ew_add_" + size, repetitions, [&] { return a + b; });
    report_op("ew_exp_" + size, repetitions, [&] { return torch::exp(a); });
    report_op("ew_tanh_" + size, repetitions, [&] { return torch::tanh(a); });
    report_op("ew_sigmoid_" + size, repetitions, [&] { return torch::sigmoid(a); });
    report_op("ew_gelu_" + size, repetitions, [&] { return torch::gelu(a); });
    report_op("ew_relu_" + size, repetitions, [&] { return torch::relu(a); });
  }
}

void reductions() {
  const torch::NoGradGuard off;
  torch::manual_seed(0);
  const Tensor a = torch::randn({1024, 1024});
  report_op("sum_all_1024x1024", 200, [&] { return torch::sum(a); });
  report_op("sum_axis0_1024x1024", 200, [&] { return torch::sum(a, 0); });
  report_op("sum_axis1_1024x1024", 200, [&] { return torch::sum(a, 1); });
  report_op("max_axis1_1024x1024", 100, [&] { return torch::amax(a, 1); });
  report_op("softmax_1024x1024", 200, [&] { return torch::softmax(a, 1); });
  report_op("log_softmax_1024x1024", 200, [&] { return torch::log_softmax(a, 1); });
  report_op("layer_norm_1024x1024", 200, [&] { return torch::layer_norm(a, {1024}); });
  report_op("transpose_1024x1024", 200, [&] { return a.t().contiguous(); });
  const Tensor row = torch::randn({1024}), column = torch::randn({1024, 1});
  report_op("bcast_row_1024x1024", 200, [&] { return a + row; });
  report_op("bcast_col_1024x1024", 200, [&] { return a * column; });
  const Tensor images = torch::randn({32, 64, 14, 14}), channels = torch::randn({64, 1, 1});
  report_op("bcast_chan_nchw_32x64x14x14", 300, [&] { return images * channels; });
  report_op("cat_last_1024x1024x2", 100, [&] { return torch::cat({a, a}, 1); });
}

// Forward alone, and forward and backward.
template <class F>
void report_both(const std::string& name, int repetitions, const std::vector<Tensor>& leaves, F forward) {
  {
    const torch::NoGradGuard off;
    report_op(name + "_fwd", repetitions, forward);
  }
  const Tensor seed = torch::randn_like(forward());
  const double both = median_seconds(repetitions, 5, [&] {
    forward().backward(seed);
    for (const Tensor& leaf : leaves) forget_gradient(leaf);
  });
  report(name + "_fwdbwd", both, us);
}

// What would only be a view is made contiguous, as its next reader may want it.
void movement() {
  torch::manual_seed(0);
  const Tensor images = torch::randn({64, 32, 32, 16}, torch::requires_grad());
  report_both("permute_64x32x32x16_to_64x16x32x32", 100, {images}, [&] {
    return images.permute({0, 3, 1, 2}).contiguous();
  });
  report_both("pad_64x32x32x16_by_1", 100, {images}, [&] {
    return torch::constant_pad_nd(images, {0, 0, 1, 1, 1, 1});
  });
  const Tensor a = torch::randn({1024, 1024}, torch::requires_grad());
  const Tensor b = torch::randn({1024, 1024}, torch::requires_grad());
  report_both("transpose_last_16x256x256", 100, {a}, [&] {
    return a.reshape({16, 256, 256}).transpose(1, 2).contiguous();
  });
  report_both("slice_step2_1024x1024", 100, {a}, [&] { return a.slice(1, 0, 1024, 2).contiguous(); });
  report_both("cat_first_1024x1024x2", 100, {a, b}, [&] { return torch::cat({a, b}, 0); });
  const Tensor index = torch::randint(1024, {1024, 1024}, torch::kInt64);
  report_both("scatter_add_1024x1024", 20, {a, b}, [&] { return torch::scatter_add(a, 0, index, b); });
  const Tensor factors = (1.0 + 1e-2 * torch::randn({1024, 1024})).requires_grad_();
  report_both("prod_axis1_1024x1024", 100, {factors}, [&] { return torch::prod(factors, 1); });
}

// libtorch has no function that makes one pass of these: its single operations stand beside either.
void fusion() {
  torch::manual_seed(0);
  for (const int n : {10'000, 1'000'000}) {
    const Tensor a = torch::randn({n}, torch::requires_grad()), b = torch::randn({n}, torch::requires_grad());
    const std::string size = std::to_string(n);
    const int repetitions = n > 100'000 ? 30 : 300;
    for (const char* kind : {"fused_", "plain_"}) {
      report_both("gate_" + (kind + size), repetitions, {a, b}, [&] { return a * torch::sigmoid(b); });
      report_both("mix_" + (kind + size), repetitions, {a, b},
                  [&] { return a * torch::sigmoid(b) + 0.5 * torch::tanh(a * b); });
    }
  }
}

void products() {
  const torch::NoGradGuard off;
  torch::manual_seed(0);
  for (const int n : {64, 256, 1024}) {
    const Tensor a = torch::randn({n, n}), b = torch::randn({n, n});
    report_op("mm_" + std::to_string(n), n > 512 ? 10 : 200, [&] { return torch::mm(a, b); });
  }
}

void convolutions() {
  torch::manual_seed(0);
  for (const ConvCase& q : conv_cases) {
    const Tensor x = torch::randn({q.batch, q.channels, q.side, q.side}, torch::requires_grad());
    const Tensor w = torch::randn({q.outputs, q.channels, q.kernel, q.kernel}, torch::requires_grad());
    const auto forward = [&] { return torch::conv2d(x, w, {}, q.stride, q.padding); };
    {
      const torch::NoGradGuard off;
      report(q.name() + "_fwd", median_seconds(10, 3, [&] { const Tensor y = forward(); }), us);
    }
    const Tensor seed = torch::randn_like(forward());
    const double both = median_seconds(10, 3, [&] {
      forward().backward(seed);
      forget_gradient(x);
      forget_gradient(w);
    });
    report(q.name() + "_fwdbwd", both, us);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return main_of("libtorch", argc, argv, torch::set_num_threads,
                 {{"dispatch_chain", dispatch_chain},
                  {"mlp", mlp},
                  {"mlp_small", small_mlp},
                  {"resmlp1000", residual_mlp},
                  {"resnet20", resnet20},
                  {"resnet20_cl", resnet20_channels_last},
                  {"resnet20_fashion", resnet20_fashion},
                  {"resnet110", resnet110},
                  {"mlp_regression", regression_mlp},
                  {"resnet1202", resnet1202},
                  {"densenet40", densenet40},
                  {"densenet40_recompute", densenet40_recompute},
                  {"sequences", sequences},
                  {"transformer", transformer},
                  {"ew", elementwise},
                  {"fused", fusion},
                  {"reduce", reductions},
                  {"movement", movement},
                  {"gemm", products},
                  {"conv", convolutions}});
}

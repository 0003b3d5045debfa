// The workloads of libtorch_peer.cpp in weft: engine and single ops. One JSON line a case, as there.
#include "weft_peer.hpp"

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/ops.hpp>

namespace {

using namespace peers;

void dispatch_chain() {
  weft::manual_seed(0);
  const weft::Tensor x = weft::parameter(weft::randn({16}));
  // Near 1: values and gradients of a long chain neither underflow, which has costs of its own, nor overflow.
  const weft::Tensor c = 1.0 + 1e-3 * weft::randn({16});
  const double forward = median_seconds(30, 5, [&] {
    weft::Tensor y = x;
    for (int i = 0; i < 1000; ++i) y = y + c;
  });
  report("dispatch_chain_fwd", forward, {"ns/node", 1e9, 1000});
  const double both = median_seconds(30, 5, [&] {
    weft::Tensor y = x;
    for (int i = 0; i < 500; ++i) {
      y = y + c;
      y = y * c;
    }
    sum(y).backward();
    weft::Tensor(x).zero_grad();
  });
  report("dispatch_chain", both, {"ns/node", 1e9, 1000});
}

void residual_mlp() {
  weft::manual_seed(0);
  weft::Tensors weights;
  for (int i = 0; i < 1000; ++i) weights.push_back(weft::parameter(0.01 * weft::randn({64, 64})));
  const weft::Tensor x = weft::randn({32, 64});
  const double seconds = median_seconds(7, 1, [&] {
    weft::Tensor h = x;
    for (const weft::Tensor& w : weights) h = h + tanh(matmul(h, w));
    mean(square(h)).backward();
    for (weft::Tensor& w : weights) w.zero_grad();
  });
  report("resmlp1000_w64_b32", seconds, {"us/layer", 1e6, 1000});
}

template <class F>
void report_op(const std::string& name, int repetitions, F op) {
  report(name, median_seconds(repetitions, 5, [&] { const weft::Tensor result = op(); }), us);
}

void elementwise() {
  const weft::NoGrad off;
  weft::manual_seed(0);
  for (const int n : elementwise_sizes) {
    const weft::Tensor a = weft::randn({n}), b = weft::randn({n});
    const std::string size = std::to_string(n);
    const int repetitions = n > 1'000'000 ? 15 : 300;
    report_op("ew_add_" + size, repetitions, [&] { return a + b; });
    report_op("ew_exp_" + size, repetitions, [&] { return exp(a); });
    report_op("ew_tanh_" + size, repetitions, [&] { return tanh(a); });
    report_op("ew_sigmoid_" + size, repetitions, [&] { return sigmoid(a); });
    report_op("ew_gelu_" + size, repetitions, [&] { return gelu(a); });
    report_op("ew_relu_" + size, repetitions, [&] { return relu(a); });
  }
}

void reductions() {
  const weft::NoGrad off;
  weft::manual_seed(0);
  const weft::Tensor a = weft::randn({1024, 1024});
  report_op("sum_all_1024x1024", 200, [&] { return sum(a); });
  report_op("sum_axis0_1024x1024", 200, [&] { return sum(a, 0); });
  report_op("sum_axis1_1024x1024", 200, [&] { return sum(a, 1); });
  report_op("max_axis1_1024x1024", 100, [&] { return max(a, 1); });
  report_op("softmax_1024x1024", 200, [&] { return softmax(a, 1); });
  report_op("log_softmax_1024x1024", 200, [&] { return log_softmax(a, 1); });
  report_op("layer_norm_1024x1024", 200, [&] { return layer_norm(a, weft::Tensor(), weft::Tensor()); });
  report_op("transpose_1024x1024", 200, [&] { return transpose(a); });
  const weft::Tensor row = weft::randn({1024}), column = weft::randn({1024, 1});
  report_op("bcast_row_1024x1024", 200, [&] { return a + row; });
  report_op("bcast_col_1024x1024", 200, [&] { return a * column; });
  const weft::Tensor images = weft::randn({32, 64, 14, 14}), channels = weft::randn({64, 1, 1});
  report_op("bcast_chan_nchw_32x64x14x14", 300, [&] { return images * channels; });
  report_op("cat_last_1024x1024x2", 100, [&] { return weft::concat({a, a}, 1); });
}

// Forward alone, and forward and backward.
template <class F>
void report_both(const std::string& name, int repetitions, weft::Tensors leaves, F forward) {
  {
    const weft::NoGrad off;
    report_op(name + "_fwd", repetitions, forward);
  }
  const weft::Tensor seed = weft::randn(forward().shape());
  const double both = median_seconds(repetitions, 5, [&] {
    forward().backward(seed);
    for (weft::Tensor& leaf : leaves) leaf.zero_grad();
  });
  report(name + "_fwdbwd", both, us);
}

void movement() {
  weft::manual_seed(0);
  const weft::Tensor images = weft::parameter(weft::randn({64, 32, 32, 16}));
  report_both("permute_64x32x32x16_to_64x16x32x32", 100, {images}, [&] { return permute(images, {0, 3, 1, 2}); });
  report_both("pad_64x32x32x16_by_1", 100, {images}, [&] { return pad(images, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}); });
  const weft::Tensor a = weft::parameter(weft::randn({1024, 1024})), b = weft::parameter(weft::randn({1024, 1024}));
  report_both("transpose_last_16x256x256", 100, {a}, [&] { return transpose(reshape(a, {16, 256, 256})); });
  report_both("slice_step2_1024x1024", 100, {a}, [&] { return slice(a, 1, 0, 1024, 2); });
  report_both("cat_first_1024x1024x2", 100, {a, b}, [&] { return weft::concat({a, b}, 0); });
  const weft::Tensor index = weft::randint(0, 1024, {1024, 1024});
  report_both("scatter_add_1024x1024", 20, {a, b}, [&] { return scatter_add(a, 0, index, b); });
  const weft::Tensor factors = weft::parameter(1.0 + 1e-2 * weft::randn({1024, 1024}));
  report_both("prod_axis1_1024x1024", 100, {factors}, [&] { return prod(factors, 1); });
}

// A function as one pass, and as its single operations.
void fusion() {
  weft::manual_seed(0);
  const auto gate = [](auto a, auto b) { return a * sigmoid(b); };
  const auto mix = [](auto a, auto b) { return a * sigmoid(b) + 0.5 * tanh(a * b); };
  const auto fused_gate = weft::fused(gate);
  const auto fused_mix = weft::fused(mix);
  for (const int n : {10'000, 1'000'000}) {
    const weft::Tensor a = weft::parameter(weft::randn({n})), b = weft::parameter(weft::randn({n}));
    const std::string size = std::to_string(n);
    const int repetitions = n > 100'000 ? 30 : 300;
    report_both("gate_fused_" + size, repetitions, {a, b}, [&] { return fused_gate(a, b); });
    report_both("gate_plain_" + size, repetitions, {a, b}, [&] { return gate(a, b); });
    report_both("mix_fused_" + size, repetitions, {a, b}, [&] { return fused_mix(a, b); });
    report_both("mix_plain_" + size, repetitions, {a, b}, [&] { return mix(a, b); });
  }
}

void products() {
  const weft::NoGrad off;
  weft::manual_seed(0);
  for (const int n : {64, 256, 1024}) {
    const weft::Tensor a = weft::randn({n, n}), b = weft::randn({n, n});
    report_op("mm_" + std::to_string(n), n > 512 ? 10 : 200, [&] { return matmul(a, b); });
  }
}

void convolutions() {
  weft::manual_seed(0);
  for (const ConvCase& q : conv_cases) {
    weft::Tensor x = weft::parameter(weft::randn({q.batch, q.side, q.side, q.channels}));
    weft::Tensor w = weft::parameter(weft::randn({q.kernel, q.kernel, q.channels, q.outputs}));
    const auto forward = [&] { return conv2d(x, w, {.stride = q.stride, .padding = q.padding}); };
    {
      const weft::NoGrad off;
      report(q.name() + "_fwd", median_seconds(10, 3, [&] { const weft::Tensor y = forward(); }), us);
    }
    const weft::Tensor seed = weft::randn(forward().shape());
    const double both = median_seconds(10, 3, [&] {
      forward().backward(seed);
      x.zero_grad();
      w.zero_grad();
    });
    report(q.name() + "_fwdbwd", both, us);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return main_of("weft", argc, argv, weft::set_num_threads,
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

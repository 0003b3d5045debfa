#include <weft/nn/models/imagenet_resnet.hpp>

#include <weft/nn/containers.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/nn/models/detail/convolutions.hpp>
#include <weft/nn/models/detail/residual.hpp>
#include <weft/nn/shortcuts.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/pool.hpp>

namespace weft::nn {
namespace {

constexpr std::int64_t bottleneck_expansion = 4;

struct Arrangement {
  bool bottleneck;
  std::int64_t blocks[4];
};

Arrangement arrangement_of(std::int64_t depth) {
  switch (depth) {
    case 18: return {false, {2, 2, 2, 2}};
    case 34: return {false, {3, 4, 6, 3}};
    case 50: return {true, {3, 4, 6, 3}};
    case 101: return {true, {3, 4, 23, 3}};
    case 152: return {true, {3, 8, 36, 3}};
    default: fail("resnet: got the depth ", depth, ", needs 18, 34, 50, 101 or 152");
  }
}

ModulePtr downsample(std::int64_t in, std::int64_t out, std::int64_t stride) {
  if (in == out && stride == 1) return make<Identity>();
  return make<Sequential>(Conv2d(in, out, beside_norm(1, stride)), BatchNorm(out));
}

struct Bottleneck : Module {
  Child<Conv2d> conv1;
  Child<BatchNorm> bn1;
  Child<Conv2d> conv2;
  Child<BatchNorm> bn2;
  Child<Conv2d> conv3;
  Child<BatchNorm> bn3;
  Child<Module> shortcut;

  Bottleneck(std::int64_t in, std::int64_t out, std::int64_t stride)
      : Bottleneck(in, out / bottleneck_expansion, out, stride) {}
  Bottleneck(std::int64_t in, std::int64_t width, std::int64_t out, std::int64_t stride)
      : conv1{this, "conv1", in, width, beside_norm(1)},
        bn1{this, "bn1", width},
        conv2{this, "conv2", width, width, beside_norm(3, stride)},
        bn2{this, "bn2", width},
        conv3{this, "conv3", width, out, beside_norm(1)},
        bn3{this, "bn3", out},
        shortcut{this, "downsample", downsample(in, out, stride)} {}

  Tensor forward(const Tensor& x) override {
    const Tensor h = bn2->relu(conv2(bn1->relu(conv1(x))));
    return bn3->relu(conv3(h), shortcut(x));
  }
};

struct ImageNetResNet : Module {
  Child<Conv2d> conv1;
  Child<BatchNorm> bn1;
  Child<Sequential> layer1, layer2, layer3, layer4;
  Child<Linear> fc;

  ImageNetResNet(const Arrangement& a, std::int64_t classes)
      : conv1{this, "conv1", 3, 64, beside_norm(7, 2)},
        bn1{this, "bn1", 64},
        layer1{this, "layer1", layer(a, 0)},
        layer2{this, "layer2", layer(a, 1)},
        layer3{this, "layer3", layer(a, 2)},
        layer4{this, "layer4", layer(a, 3)},
        fc{this, "fc", channels(a, 3), classes} {
    start_convolutions(*this, Fan::out);
  }

  // After layer i + 1.
  static std::int64_t channels(const Arrangement& a, int i) {
    return (std::int64_t{64} << i) * (a.bottleneck ? bottleneck_expansion : 1);
  }

  static std::vector<ModulePtr> layer(const Arrangement& a, int i) {
    const std::int64_t in = i == 0 ? 64 : channels(a, i - 1), stride = i == 0 ? 1 : 2;
    return stage(a.blocks[i], in, channels(a, i), stride, [&a](std::int64_t from, std::int64_t to, std::int64_t step) {
      if (a.bottleneck) return make<Bottleneck>(from, to, step);
      return make<ResidualBlock>(from, to, step, "downsample", downsample(from, to, step));
    });
  }

  Tensor forward(const Tensor& x) override {
    const Tensor h = max_pool2d(bn1->relu(conv1(x)), {.kernel = 3, .stride = 2, .padding = 1});
    return fc(global_avg_pool(layer4(layer3(layer2(layer1(h))))));
  }
};

}  // namespace

ModulePtr resnet(std::int64_t depth, std::int64_t classes) {
  return make<ImageNetResNet>(arrangement_of(depth), classes);
}

}  // namespace weft::nn

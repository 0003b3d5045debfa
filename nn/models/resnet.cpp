#include <weft/nn/models/resnet.hpp>

#include <weft/nn/containers.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/nn/layers/projection.hpp>
#include <weft/nn/models/detail/convolutions.hpp>
#include <weft/nn/models/detail/residual.hpp>
#include <weft/nn/shortcuts.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/pool.hpp>

namespace weft::nn {
namespace {

enum class Style : std::uint8_t { plain, residual, pre_activation };

ModulePtr shortcut_of(ShortcutOption option, std::int64_t in, std::int64_t out, std::int64_t stride, bool norm) {
  const bool same = in == out && stride == 1;
  if (option == ShortcutOption::C || (option == ShortcutOption::B && !same))
    return make<Projection>(in, out, ProjectionOptions{.stride = stride, .norm = norm});
  if (same) return make<Identity>();
  return make<ZeroPad>(in, out, stride);
}

struct PreActivationBlock : Module {
  Child<BatchNorm> bn1;
  Child<Conv2d> conv1;
  Child<BatchNorm> bn2;
  Child<Conv2d> conv2;
  Child<Module> shortcut;
  bool identity;

  PreActivationBlock(std::int64_t in, std::int64_t out, std::int64_t stride, ShortcutOption option)
      : bn1{this, "bn1", in},
        conv1{this, "conv1", in, out, beside_norm(3, stride)},
        bn2{this, "bn2", out},
        conv2{this, "conv2", out, out, beside_norm(3)},
        shortcut{this, "shortcut", shortcut_of(option, in, out, stride, false)},
        identity(dynamic_cast<const Identity*>(&*shortcut) != nullptr) {}

  Tensor forward(const Tensor& x) override {
    const Tensor active = bn1->relu(x);
    return conv2(bn2->relu(conv1(active))) + shortcut(identity ? x : active);
  }
};

auto blocks_of(Style style, ShortcutOption option) {
  return [=](std::int64_t in, std::int64_t out, std::int64_t stride) {
    switch (style) {
      case Style::plain: return make<PlainBlock>(in, out, stride);
      case Style::residual:
        return make<ResidualBlock>(in, out, stride, "shortcut", shortcut_of(option, in, out, stride, true));
      default: return make<PreActivationBlock>(in, out, stride, option);
    }
  };
}

struct CifarNet : Module {
  Child<Conv2d> conv;
  Child<BatchNorm> bn;  // after the first convolution, or, with pre-activation, before the mean
  Child<Sequential> stage1, stage2, stage3;
  Child<Linear> output;
  bool pre_activation;

  CifarNet(std::int64_t blocks, Style style, ShortcutOption option, std::int64_t in_channels, std::int64_t classes)
      : conv{this, "conv", in_channels, 16, beside_norm(3)},
        bn{this, "bn", style == Style::pre_activation ? 64 : 16},
        stage1{this, "stage1", stage(blocks, 16, 16, 1, blocks_of(style, option))},
        stage2{this, "stage2", stage(blocks, 16, 32, 2, blocks_of(style, option))},
        stage3{this, "stage3", stage(blocks, 32, 64, 2, blocks_of(style, option))},
        output{this, "output", 64, classes},
        pre_activation(style == Style::pre_activation) {
    start_convolutions(*this);
  }

  Tensor forward(const Tensor& x) override {
    Tensor h = conv(x);
    if (!pre_activation) h = bn->relu(h);
    h = stage3(stage2(stage1(h)));
    if (pre_activation) h = bn->relu(h);
    return output(global_avg_pool(h));
  }
};

ModulePtr cifar_net(const char* name, std::int64_t depth, Style style, ShortcutOption option, std::int64_t in_channels,
                    std::int64_t classes) {
  if (depth < 8 || depth % 6 != 2) fail(name, ": got the depth ", depth, ", needs 6n + 2 (8, 14, 20, 32, ...)");
  return make<CifarNet>((depth - 2) / 6, style, option, in_channels, classes);
}

}  // namespace

ModulePtr resnet_cifar(std::int64_t depth, ShortcutOption option, bool pre_activation, std::int64_t in_channels,
                       std::int64_t classes) {
  return cifar_net("resnet_cifar", depth, pre_activation ? Style::pre_activation : Style::residual, option, in_channels,
                   classes);
}

ModulePtr plain_net(std::int64_t depth, std::int64_t in_channels, std::int64_t classes) {
  return cifar_net("plain_net", depth, Style::plain, ShortcutOption::A, in_channels, classes);
}

}  // namespace weft::nn

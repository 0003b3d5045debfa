#include <weft/nn/models/densenet.hpp>

#include <weft/nn/layers/batch_norm.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/nn/layers/pool.hpp>
#include <weft/nn/models/detail/convolutions.hpp>
#include <weft/ops/pool.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

// Modules one after another, by names of their own; a ReLU follows each batch norm.
struct Chain : Module {
  std::vector<Child<Module>> modules;

  void append(const std::string& name, ModulePtr module) { modules.emplace_back(this, name, std::move(module)); }

  // Batch norm and a convolution; the number, if any, ends their names.
  void append_conv(const std::string& number, std::int64_t in, std::int64_t out, std::int64_t kernel) {
    append("norm" + number, make<BatchNorm>(in));
    append("conv" + number, make<Conv2d>(in, out, beside_norm(kernel)));
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (const auto& module : modules) {
      auto* const norm = dynamic_cast<BatchNorm*>(&*module);
      y = norm != nullptr ? norm->relu(y) : module(y);
    }
    return y;
  }
};

struct DenseLayer : Chain {
  DenseLayer(std::int64_t in, std::int64_t growth, bool bottleneck) {
    if (bottleneck) append_conv("1", in, 4 * growth, 1);
    append_conv(bottleneck ? "2" : "1", bottleneck ? 4 * growth : in, growth, 3);
  }
  Tensor forward(const Tensor& x) override { return concat({x, Chain::forward(x)}); }
};

struct DenseBlock : Chain {
  DenseBlock(std::int64_t in, std::int64_t layers, std::int64_t growth, bool bottleneck) {
    for (std::int64_t i = 0; i < layers; ++i)
      append("denselayer" + std::to_string(i + 1), make<DenseLayer>(in + i * growth, growth, bottleneck));
  }
};

struct Transition : Chain {
  Transition(std::int64_t in, std::int64_t out) {
    append_conv("", in, out, 1);
    append("pool", make<AvgPool2d>());
  }
};

struct DenseNet : Module {
  struct Form {
    std::int64_t in_channels, first_channels;
    bool large_images;
    std::vector<std::int64_t> layers;  // of each block
    std::int64_t growth;
    bool bottleneck;
    double compression;
    std::int64_t classes;
  };
  Child<Chain> features;
  Child<Linear> classifier;

  explicit DenseNet(const Form& form)
      : features{this, "features"}, classifier{this, "classifier", append_features(form), form.classes} {
    start_convolutions(*this);
  }

  // The channels that come out.
  std::int64_t append_features(const Form& form) {
    std::int64_t channels = form.first_channels;
    features->append("conv0",
                     make<Conv2d>(form.in_channels, channels, form.large_images ? beside_norm(7, 2) : beside_norm(3)));
    if (form.large_images) {
      features->append("norm0", make<BatchNorm>(channels));
      features->append("pool0", make<MaxPool2d>(PoolOptions{.kernel = 3, .stride = 2, .padding = 1}));
    }
    for (std::size_t i = 1; i <= form.layers.size(); ++i) {
      const std::string number = std::to_string(i);
      const std::int64_t layers = form.layers[i - 1];
      features->append("denseblock" + number, make<DenseBlock>(channels, layers, form.growth, form.bottleneck));
      channels += layers * form.growth;
      if (i == form.layers.size()) break;
      const auto kept = static_cast<std::int64_t>(static_cast<double>(channels) * form.compression);
      features->append("transition" + number, make<Transition>(channels, kept));
      channels = kept;
    }
    const std::string last = std::to_string(form.layers.size() + 1);
    features->append("norm" + last, make<BatchNorm>(channels));
    return channels;
  }

  Tensor forward(const Tensor& x) override { return classifier(global_avg_pool(features(x))); }
};

}  // namespace

ModulePtr densenet(std::int64_t depth, std::int64_t growth, bool bottleneck, double compression,
                   std::int64_t in_channels, std::int64_t classes) {
  const std::int64_t divisor = bottleneck ? 6 : 3;
  if (depth <= 4 || (depth - 4) % divisor != 0) fail("densenet: got the depth ", depth, ", needs ", divisor, "n + 4");
  if (growth <= 0 || !(compression > 0 && compression <= 1))
    fail("densenet: got growth ", growth, " and compression ", compression,
         ", needs a positive growth and 0 < compression <= 1");
  return make<DenseNet>(DenseNet::Form{.in_channels = in_channels,
                                       .first_channels = compression < 1 ? 2 * growth : 16,
                                       .large_images = false,
                                       .layers = std::vector<std::int64_t>(3, (depth - 4) / divisor),
                                       .growth = growth,
                                       .bottleneck = bottleneck,
                                       .compression = compression,
                                       .classes = classes});
}

ModulePtr densenet121(std::int64_t classes) {
  return make<DenseNet>(DenseNet::Form{.in_channels = 3,
                                       .first_channels = 64,
                                       .large_images = true,
                                       .layers = {6, 12, 24, 16},
                                       .growth = 32,
                                       .bottleneck = true,
                                       .compression = 0.5,
                                       .classes = classes});
}

ModulePtr densenet(std::int64_t depth) {
  if (depth != 121) fail("densenet: got the depth ", depth, " alone, needs 121, or a growth as in densenet(40, 12)");
  return densenet121();
}

}  // namespace weft::nn

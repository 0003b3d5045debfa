#include <weft/nn/models/densenet.hpp>

#include <weft/nn/containers.hpp>
#include <weft/nn/init.hpp>
#include <weft/nn/layers/activation.hpp>
#include <weft/nn/layers/batch_norm.hpp>
#include <weft/nn/layers/conv.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/nn/layers/pool.hpp>
#include <weft/nn/shortcuts.hpp>

namespace weft::nn {
namespace {

void append_conv(Sequential& net, std::int64_t in, std::int64_t out, int kernel) {
  net.append(make<BatchNorm>(in));
  net.append(make<ReLU>());
  net.append(make<Conv2d>(in, out, Conv2dOptions{.kernel = kernel, .padding = kernel / 2, .bias = false}));
}

ModulePtr dense_layer(std::int64_t in, std::int64_t growth, bool bottleneck) {
  auto body = std::make_shared<Sequential>();
  if (bottleneck) append_conv(*body, in, 4 * growth, 1);
  append_conv(*body, bottleneck ? 4 * growth : in, growth, 3);
  return make<Concat>(body);
}

}  // namespace

ModulePtr densenet(std::int64_t depth, std::int64_t growth, bool bottleneck, double compression,
                   std::int64_t in_channels, std::int64_t classes) {
  const std::int64_t divisor = bottleneck ? 6 : 3;
  if (depth <= 4 || (depth - 4) % divisor != 0) fail("densenet: got the depth ", depth, ", needs ", divisor, "n + 4");
  if (growth <= 0 || !(compression > 0 && compression <= 1))
    fail("densenet: got growth ", growth, " and compression ", compression,
         ", needs a positive growth and 0 < compression <= 1");
  std::int64_t channels = compression < 1 ? 2 * growth : 16;
  auto net = std::make_shared<Sequential>();
  net->append(make<Conv2d>(in_channels, channels, Conv2dOptions{.kernel = 3, .padding = 1, .bias = false}));
  for (int block = 0; block < 3; ++block) {
    auto dense = std::make_shared<Sequential>();
    for (std::int64_t i = 0; i < (depth - 4) / divisor; ++i, channels += growth)
      dense->append(dense_layer(channels, growth, bottleneck));
    net->append(dense);
    if (block == 2) break;
    const auto kept = static_cast<std::int64_t>(static_cast<double>(channels) * compression);
    auto transition = std::make_shared<Sequential>();
    append_conv(*transition, channels, kept, 1);
    transition->append(make<AvgPool2d>());
    net->append(transition);
    channels = kept;
  }
  net->append(make<BatchNorm>(channels));
  net->append(make<ReLU>());
  net->append(make<GlobalAvgPool>());
  net->append(make<Linear>(channels, classes));
  for (auto& [name, p] : net->named_parameters())
    if (p.rank() == 4) kaiming_(p);
  return net;
}

}  // namespace weft::nn

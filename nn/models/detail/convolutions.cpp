#include <weft/nn/models/detail/convolutions.hpp>

namespace weft::nn {

Conv2dOptions beside_norm(std::int64_t kernel, std::int64_t stride) {
  return {.kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false};
}

void start_convolutions(const Module& net, Fan fan) {
  for (const auto& [name, p] : net.named_parameters())
    if (p.rank() == 4) kaiming_(p, {.fan = fan});
}

}  // namespace weft::nn

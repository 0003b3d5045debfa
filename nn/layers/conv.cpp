#include <weft/nn/layers/conv.hpp>

#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/arithmetic.hpp>

namespace weft::nn {
namespace {

Tensor new_weight(std::int64_t in, std::int64_t out, const Conv2dOptions& options) {
  detail::check_positive("Conv2d", {in, out, options.kernel.height, options.kernel.width, options.groups});
  if (in % options.groups != 0 || out % options.groups != 0)
    fail("Conv2d: got ", in, " and ", out, " channels in ", options.groups, " groups, needs multiples");
  return empty({options.kernel.height, options.kernel.width, in / options.groups, out});
}

}  // namespace

Conv2d::Conv2d(std::int64_t in, std::int64_t out, Conv2dOptions o)
    : weight{this, "weight", new_weight(in, out, o)},
      bias{this, "bias", o.bias ? empty({out}) : Tensor()},
      options{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups} {
  const double bound = std::sqrt(static_cast<double>(out) / static_cast<double>(weight.size()));
  uniform_(weight, -bound, bound);
  if (o.bias) uniform_(bias, -bound, bound);
}

Tensor Conv2d::forward(const Tensor& x) {
  detail::check_input("Conv2d", x, 4, weight.size(2) * options.groups);
  const Tensor y = conv2d(x, weight, options);
  return bias.defined() ? y + bias : y;
}

std::int64_t Conv2d::multiply_adds(const Shape&, const Shape& output) const {
  return output.size() * weight.size(0) * weight.size(1) * weight.size(2);
}

}  // namespace weft::nn

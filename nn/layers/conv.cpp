#include <weft/nn/layers/conv.hpp>

#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/arithmetic.hpp>

namespace weft::nn {
namespace {

void check(const char* layer, std::int64_t in, std::int64_t out, Pair kernel, std::int64_t groups) {
  detail::check_positive(layer, {in, out, kernel.height, kernel.width, groups});
  if (in % groups != 0 || out % groups != 0)
    fail(layer, ": got ", in, " and ", out, " channels in ", groups, " groups, needs multiples");
}

// Uniform within 1 / sqrt(weights that add up to one result); a weight's last axis tells those results apart.
void start(Param& weight, Param& bias) {
  const double bound = std::sqrt(static_cast<double>(weight.size(-1)) / static_cast<double>(weight.size()));
  uniform_(weight, -bound, bound);
  if (bias.defined()) uniform_(bias, -bound, bound);
}

Tensor with_bias(const Tensor& y, const Tensor& bias) { return bias.defined() ? y + bias : y; }

Tensor new_weight(std::int64_t in, std::int64_t out, const Conv2dOptions& o) {
  check("Conv2d", in, out, o.kernel, o.groups);
  return empty({o.kernel.height, o.kernel.width, in / o.groups, out});
}
Tensor new_weight(std::int64_t in, std::int64_t out, const Conv1dOptions& o) {
  check("Conv1d", in, out, o.kernel, o.groups);
  return empty({o.kernel, in / o.groups, out});
}
Tensor new_weight(std::int64_t in, std::int64_t out, const ConvTranspose2dOptions& o) {
  check("ConvTranspose2d", in, out, o.kernel, o.groups);
  return empty({o.kernel.height, o.kernel.width, out / o.groups, in});
}

}  // namespace

Conv2d::Conv2d(std::int64_t in, std::int64_t out, Conv2dOptions o)
    : weight{this, "weight", new_weight(in, out, o)},
      bias{this, "bias", o.bias ? empty({out}) : Tensor()},
      options{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups} {
  start(weight, bias);
}

Tensor Conv2d::forward(const Tensor& x) {
  detail::check_input("Conv2d", x, 4, weight.size(2) * options.groups);
  return with_bias(conv2d(x, weight, options), bias);
}

std::int64_t Conv2d::multiply_adds(const Shape&, const Shape& output) const {
  return output.size() * weight.size(0) * weight.size(1) * weight.size(2);
}

std::vector<int> Conv2d::pytorch_axes(std::string_view parameter) const {
  return parameter == "weight" ? std::vector{3, 2, 0, 1} : std::vector<int>();
}

Conv1d::Conv1d(std::int64_t in, std::int64_t out, Conv1dOptions o)
    : weight{this, "weight", new_weight(in, out, o)},
      bias{this, "bias", o.bias ? empty({out}) : Tensor()},
      options{.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups} {
  start(weight, bias);
}

Tensor Conv1d::forward(const Tensor& x) {
  detail::check_input("Conv1d", x, 3, weight.size(1) * options.groups);
  return with_bias(conv1d(x, weight, options), bias);
}

std::int64_t Conv1d::multiply_adds(const Shape&, const Shape& output) const {
  return output.size() * weight.size(0) * weight.size(1);
}

std::vector<int> Conv1d::pytorch_axes(std::string_view parameter) const {
  return parameter == "weight" ? std::vector{2, 1, 0} : std::vector<int>();
}

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, ConvTranspose2dOptions o)
    : weight{this, "weight", new_weight(in, out, o)},
      bias{this, "bias", o.bias ? empty({out}) : Tensor()},
      options{.stride = o.stride,
              .padding = o.padding,
              .output_padding = o.output_padding,
              .dilation = o.dilation,
              .groups = o.groups} {
  start(weight, bias);
}

Tensor ConvTranspose2d::forward(const Tensor& x) {
  detail::check_input("ConvTranspose2d", x, 4, weight.size(3));
  return with_bias(conv_transpose2d(x, weight, options), bias);
}

std::int64_t ConvTranspose2d::multiply_adds(const Shape& input, const Shape&) const {
  return input.size() * weight.size(0) * weight.size(1) * weight.size(2);
}

std::vector<int> ConvTranspose2d::pytorch_axes(std::string_view parameter) const {
  return parameter == "weight" ? std::vector{3, 2, 0, 1} : std::vector<int>();
}

}  // namespace weft::nn

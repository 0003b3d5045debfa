#pragma once
// Convolution layers on channels-last images {batch, height, width, channels} and sequences {batch, length, channels}.
#include <weft/nn/module.hpp>
#include <weft/ops/conv.hpp>

namespace weft::nn {

struct Conv2dOptions {
  Pair kernel = 3;
  Pair stride = 1;
  Pair padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// conv2d with weight {kernel_h, kernel_w, in / groups, out}, plus bias {out}. Both start uniform within 1 / sqrt(fan
/// in), as in PyTorch. `groups` divides in and out.
class Conv2d : public Module {
 public:
  using Options = Conv2dOptions;
  Conv2d(std::int64_t in, std::int64_t out, Conv2dOptions options = {});
  template <std::integral T>
  Conv2d(std::int64_t in, std::int64_t out, T) : Conv2d(in, out) {
    static_assert(sizeof(T) == 0, "Conv2d: after in and out come options, such as {.kernel = 3}");
  }
  Tensor forward(const Tensor& x) override;
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  Param weight, bias;  ///< bias is undefined without
  const ConvOptions options;
};

struct Conv1dOptions {
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// conv1d with weight {kernel, in / groups, out}, plus bias {out}; both start as Conv2d's.
class Conv1d : public Module {
 public:
  using Options = Conv1dOptions;
  Conv1d(std::int64_t in, std::int64_t out, Conv1dOptions options = {});
  template <std::integral T>
  Conv1d(std::int64_t in, std::int64_t out, T) : Conv1d(in, out) {
    static_assert(sizeof(T) == 0, "Conv1d: after in and out come options, such as {.kernel = 3}");
  }
  Tensor forward(const Tensor& x) override;
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  Param weight, bias;  ///< bias is undefined without
  const ConvOptions1d options;
};

struct ConvTranspose2dOptions {
  Pair kernel = 3;
  Pair stride = 1;
  Pair padding = 0;
  Pair output_padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// conv_transpose2d with weight {kernel_h, kernel_w, out / groups, in}, plus bias {out}. Both start uniform within 1 /
/// sqrt(kernel_h kernel_w out / groups), as in PyTorch. `groups` divides in and out.
class ConvTranspose2d : public Module {
 public:
  using Options = ConvTranspose2dOptions;
  ConvTranspose2d(std::int64_t in, std::int64_t out, ConvTranspose2dOptions options = {});
  template <std::integral T>
  ConvTranspose2d(std::int64_t in, std::int64_t out, T) : ConvTranspose2d(in, out) {
    static_assert(sizeof(T) == 0, "ConvTranspose2d: after in and out come options, such as {.kernel = 3}");
  }
  Tensor forward(const Tensor& x) override;
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  Param weight, bias;  ///< bias is undefined without
  const ConvTransposeOptions options;
};

}  // namespace weft::nn

#pragma once
// Convolution of channels-last images and sequences, and its transpose.
#include <weft/engine/tensor.hpp>

#include <cstdint>

namespace weft {

enum class ConvPrecision : std::uint8_t { exact, fast };
/// Of the whole process. Fast, the default, computes f32 convolutions with 3x3 kernels, stride 1 and at least 8
/// channels in a third to a half of the time where images are large enough, by Winograd's minimal filtering (Lavin and
/// Gray, arXiv 1509.09308, with points of less rounding), and their gradients alike. Its error is up to three times
/// that of the direct sum, some 1e-6 to 4e-6 of the largest result; what is not finite in an image makes nan of all 4x4
/// results that are computed with it. Other convolutions and f64 are exact always.
void set_conv_precision(ConvPrecision precision);
ConvPrecision conv_precision();

/// Two sizes, height and width; one number stands for both.
struct Pair {
  std::int64_t height, width;
  template <std::integral T>
  Pair(T both) : Pair(static_cast<std::int64_t>(both), static_cast<std::int64_t>(both)) {}  // NOLINT: .stride = 2
  Pair(std::int64_t h, std::int64_t w) : height(h), width(w) {}
};

struct ConvOptions {
  Pair stride = 1;
  Pair padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
};

/// Cross-correlation, as every deep-learning library's convolution: x {batch, height, width, in}, w {kernel_h,
/// kernel_w, in / groups, out} give {batch, out_h, out_w, out} with out_h = (height + 2 padding - dilation (kernel_h -
/// 1) - 1) / stride + 1. Bias is added by the caller. f32 and f64.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options = {});

struct ConvOptions1d {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
};

/// conv2d of sequences: x {batch, length, in}, w {kernel, in / groups, out} give {batch, out_length, out}.
Tensor conv1d(const Tensor& x, const Tensor& w, const ConvOptions1d& options = {});

struct ConvTransposeOptions {
  Pair stride = 1;
  Pair padding = 0;
  Pair output_padding = 0;  ///< rows and columns more at the end of the result; less than the stride
  Pair dilation = 1;
  std::int64_t groups = 1;
};

/// The adjoint of conv2d: with w {kernel_h, kernel_w, out / groups, in} as it is, what conv2d(., w) makes of images
/// {batch, out_h, out_w, out} has the shape of x {batch, height, width, in}, and sum(conv_transpose2d(x, w) * y) is
/// sum(x * conv2d(y, w)) for every y. out_h = (height - 1) stride - 2 padding + dilation (kernel_h - 1) +
/// output_padding + 1. (PyTorch's weight {in, out / groups, kernel_h, kernel_w} permuted by {2, 3, 1, 0}.) Bias is
/// added by the caller. f32 and f64.
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options = {});

struct ConvTransposeOptions1d {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t output_padding = 0;  ///< less than the stride
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
};

/// The adjoint of conv1d: x {batch, length, in}, w {kernel, out / groups, in} give {batch, out_length, out}.
Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvTransposeOptions1d& options = {});

}  // namespace weft

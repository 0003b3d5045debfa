#pragma once
// Two-dimensional convolution, channels last, on raw memory: the three passes.
#include <cstdint>

namespace weft::detail {

/// The sizes of one convolution. x is {n, h, w, cin}, weights are {kh, kw, cin / groups, cout}, y is {n, oh, ow, cout}.
struct ConvShape {
  std::int64_t n = 0, h = 0, w = 0, cin = 0;
  std::int64_t kh = 1, kw = 1, cout = 0;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dil_h = 1, dil_w = 1;
  std::int64_t groups = 1;
  std::int64_t oh = 0, ow = 0;  ///< set_output()
  bool fast = false;            ///< f32 may be computed with fewer multiplications and some rounding more

  /// What oh and ow are, from the rest; zero or negative where the kernel does not fit.
  void set_output() {
    const auto length = [](std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                           std::int64_t dil) {
      const std::int64_t room = size + 2 * pad - dil * (kernel - 1) - 1;
      return room < 0 ? 0 : room / stride + 1;
    };
    oh = length(h, kh, stride_h, pad_h, dil_h);
    ow = length(w, kw, stride_w, pad_w, dil_w);
  }
};

// Each pass overwrites its result whole, whatever it held. cin and cout are multiples of groups; strides, dilations and
// kernel sizes are at least 1, padding at least 0, oh and ow as set_output() has them; any other size may be zero.
// Results overlap no operand. T is float or double. Results repeat bit for bit, on any number
// of threads.

/// y = conv(x, w), without bias.
template <class T>
void conv2d_forward(const ConvShape& s, const T* x, const T* w, T* y);

/// gx from gy: the transposed convolution.
template <class T>
void conv2d_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx);

/// gw from x and gy, summed over images and pixels.
template <class T>
void conv2d_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw);

}  // namespace weft::detail

#pragma once
// The ways a convolution pass can be computed; conv.cpp chooses among them. The passes' rules are those of conv.hpp.
#include <weft/engine/threads.hpp>
#include <weft/ops/kernels/conv/conv.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>

#include <algorithm>
#include <cstddef>

namespace weft::detail {

/// How many threads share `items` equal items that cost `flops` together: each must have some 20 us of work.
inline std::int64_t conv_parts(std::int64_t items, double flops) {
  const auto worth = static_cast<std::int64_t>(std::min(flops / 2e6, 1e6));
  return std::max<std::int64_t>(1, std::min<std::int64_t>({num_threads(), items, worth}));
}

/// How many partial sums, of `count` numbers each, a sum over `items` that costs `flops` is made of. Its size alone
/// decides, not the number of threads, so that the bits do not hang on that.
inline std::int64_t sum_parts(std::int64_t items, double flops, std::int64_t count) {
  const auto worth = static_cast<std::int64_t>(std::min(flops / 4e6, 8.0));
  const std::int64_t room = std::max<std::int64_t>((std::int64_t{1} << 21) / std::max<std::int64_t>(count, 1), 2);
  return std::max<std::int64_t>(1, std::min({items, worth, room}));
}

/// Floating point operations of one pass, padding counted.
inline double conv_flops(const ConvShape& s) {
  const std::int64_t taps = s.kh * s.kw * (s.cin / s.groups);
  return 2.0 * static_cast<double>(s.n * s.oh * s.ow) * static_cast<double>(taps) * static_cast<double>(s.cout);
}

/// The outputs o in [begin, end) for which o * stride - pad + tap lies in [0, size).
struct Range {
  std::int64_t begin, end;
  static Range of(std::int64_t begin, std::int64_t end, std::int64_t stride, std::int64_t pad, std::int64_t tap,
                  std::int64_t size) {
    const std::int64_t low = pad - tap;
    const std::int64_t high = size + pad - tap;  // first input position too far
    Range r{};
    r.begin = std::max(begin, low <= 0 ? 0 : (low + stride - 1) / stride);
    r.end = std::max(r.begin, std::min(end, high <= 0 ? 0 : (high + stride - 1) / stride));
    return r;
  }
};

// Tiles of the result in registers. backward_input needs dilation 1 along an axis with a stride.
template <class T>
void direct_forward(const ConvShape& s, const T* x, const T* w, T* y);
template <class T>
void direct_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx);
template <class T>
void direct_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw);

// By a matrix product and col2im: for every shape.
template <class T>
void col2im_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx);

// One input and one output channel a group: cin == cout == groups.
template <class T>
void depthwise_forward(const ConvShape& s, const T* x, const T* w, T* y);
template <class T>
void depthwise_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx);
template <class T>
void depthwise_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw);

// By F(4x4, 3x3), where that is faster and may be done; for gradients of such a convolution too.
bool suits_winograd(const ConvShape& s);
void winograd_forward(const ConvShape& s, const float* x, const float* w, float* y);
void winograd_backward_input(const ConvShape& s, const float* gy, const float* w, float* gx);
void winograd_backward_weight(const ConvShape& s, const float* x, const float* gy, float* gw);

/// into[i] += partials[part][i] for parts 0, 1, ... in this order.
template <class T>
void add_partials(std::int64_t parts, std::int64_t count, const T* partials, T* into) {
  for (std::int64_t part = 0; part < parts; ++part) {
    const T* from = partials + part * count;
    for (std::int64_t i = 0; i < count; ++i) into[i] += from[i];
  }
}

}  // namespace weft::detail

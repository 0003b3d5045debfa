#pragma once
// The ways a convolution pass can be computed; conv.cpp chooses among them. The passes' rules are those of conv.hpp.
#include <weft/engine/memory.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/kernels/conv.hpp>

#include <algorithm>
#include <cstddef>

namespace weft::detail {

/// Uninitialised 64-byte aligned working memory.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate_block(bytes_))) {}
  ~Scratch() { free_block(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

/// How many threads share `items` equal items that cost `flops` together: each must have some 20 us of work.
inline std::int64_t conv_parts(std::int64_t items, double flops) {
  const auto worth = static_cast<std::int64_t>(std::min(flops / 2e6, 1e6));
  return std::max<std::int64_t>(1, std::min<std::int64_t>({num_threads(), items, worth}));
}

/// Floating point operations of one pass, padding counted.
inline double conv_flops(const ConvShape& s) {
  return 2.0 * static_cast<double>(s.n * s.oh * s.ow) * static_cast<double>(s.kh * s.kw * (s.cin / s.groups)) *
         static_cast<double>(s.cout);
}

// Tiles of the unfolded input (im2col) times the weights: right for every shape, fast for many channels a group.
template <class T>
void im2col_forward(const ConvShape& s, const T* x, const T* w, T* y);
template <class T>
void im2col_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx);
template <class T>
void im2col_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw);

// Tiles of the result in registers, groups == 1. backward_input needs dilation 1 along an axis with a stride.
template <class T>
void direct_forward(const ConvShape& s, const T* x, const T* w, T* y);
template <class T>
void direct_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx);
template <class T>
void direct_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw);

/// into[i] += partials[part][i] for parts 0, 1, ... in this order.
template <class T>
void add_partials(std::int64_t parts, std::int64_t count, const T* partials, T* into);

}  // namespace weft::detail

#pragma once
// What layers ask of their sizes and inputs, and what they do to images alike.
#include <weft/engine/tensor.hpp>

#include <initializer_list>

namespace weft::detail {

/// Throws Error naming `layer` unless x has `rank` axes (0: at least one) and the last is `channels`.
void check_input(const char* layer, const Tensor& x, int rank, std::int64_t channels);
/// Throws Error naming `layer` unless all sizes are positive.
void check_positive(const char* layer, std::initializer_list<std::int64_t> sizes);
/// Throws Error naming `layer` and both shapes unless the body's result y has the shape of its input x.
void check_kept(const char* layer, const Tensor& x, const Tensor& y);
/// Every stride-th pixel of images of `in` channels; with stride 1 x itself, of any rank. Throws Error naming `layer`
/// if x does not fit.
Tensor every_stride(const char* layer, const Tensor& x, std::int64_t in, std::int64_t stride);

}  // namespace weft::detail

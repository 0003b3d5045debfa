#pragma once
// What normalisations have in common.
#include <weft/engine/op.hpp>

namespace weft::detail {

/// The rows of width x.size(-1) that x consists of.
inline std::int64_t rows_of(const Tensor& x) {
  std::int64_t n = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) n *= x.size(i);
  return n;
}

/// Throws unless weight and bias, as far as they are there, have one value a channel.
void check_affine(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias);

/// Elements; null where the tensor is absent.
template <class T>
const T* pointer(const Tensor& t) {
  return t.defined() ? data_of<T>(t) : nullptr;
}
template <class T>
T* mutable_pointer(const Tensor& t) {
  return t.defined() ? mutable_data_of<T>(t) : nullptr;
}

/// Gradients of x, weight and bias: undefined where not wanted.
struct NormGradients {
  Tensor x, weight, bias;

  /// Tensors to be filled by a kernel.
  static NormGradients made(const char* op, const Context& ctx, const Tensor& x);
};

/// The same from ops: x normalised over `axes` by statistics that depend on x. With `mean` and `variance` defined they
/// are constants. What is still as large as x the tape sums to the size of weight and bias.
NormGradients recorded_gradients(const Tensor& x, const Tensor& weight, const Tensor& g, const Axes& axes, double eps,
                                 const Tensor& fixed_mean, const Tensor& fixed_variance);

}  // namespace weft::detail

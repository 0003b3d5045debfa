#pragma once
// Initial values of weights: in place, on weights {..., in, out} of linear and convolution layers.
#include <weft/engine/tensor.hpp>

namespace weft::nn {

enum class Distribution : std::uint8_t { uniform, normal };
enum class Fan : std::uint8_t { in, out };

struct XavierOptions {
  Distribution distribution = Distribution::uniform;
  double gain = 1.0;
};

/// Variance gain^2 * 2 / (fan in + fan out) (Glorot and Bengio, AISTATS 2010). Fan in (out) is the in (out) channels
/// times the kernel's size. Needs at least two axes.
void xavier_(Tensor weight, XavierOptions options = {});

struct KaimingOptions {
  Distribution distribution = Distribution::normal;
  Fan fan = Fan::in;
  double negative_slope = 0.0;  ///< of the leaky ReLU that follows; 0: ReLU
};

/// Variance 2 / ((1 + slope^2) fan) (He et al., arXiv 1502.01852). Needs at least two axes.
void kaiming_(Tensor weight, KaimingOptions options = {});

/// Orthonormal columns (rows, where there are fewer) of the matrix {fan in, out}, times gain, uniformly distributed
/// (Saxe, McClelland and Ganguli, arXiv 1312.6120). Needs at least two axes.
void orthogonal_(Tensor weight, double gain = 1.0);

void zeros_(Tensor t);
void constant_(Tensor t, double value);
/// Uniform in [low, high).
void uniform_(Tensor t, double low, double high);
void normal_(Tensor t, double mean = 0.0, double deviation = 1.0);

}  // namespace weft::nn

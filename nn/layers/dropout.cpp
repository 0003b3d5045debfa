#include <weft/nn/layers/dropout.hpp>

#include <weft/ops/dropout.hpp>

namespace weft::nn {

Dropout::Dropout(double probability) : p(probability) {
  if (!(p >= 0 && p < 1)) fail("Dropout: got the probability ", p, ", needs 0 <= p < 1");
}

Tensor Dropout::forward(const Tensor& x) { return dropout(x, p, is_training()); }

}  // namespace weft::nn

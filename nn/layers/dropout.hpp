#pragma once
// Dropout as a module.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// In training each element is 0 with probability p, else divided by 1 - p; in evaluation nothing happens.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;

  const double p;
};

}  // namespace weft::nn

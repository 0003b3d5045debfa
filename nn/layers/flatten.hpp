#pragma once
// Flattening as a module.
#include <weft/nn/module.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

/// All axes but the first become one.
struct Flatten : Module {
  Tensor forward(const Tensor& x) override { return flatten(x, 1); }
};

}  // namespace weft::nn

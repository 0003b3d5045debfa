#pragma once
// What there is to compare an op with: the plain loop or BLAS call that does the same work on bare arrays.
#include <weft/engine/tensor.hpp>

#include <functional>
#include <string>

namespace weft::bench {

/// Does the forward work of an op on f32 inputs into `out`, which has the result's size.
using RawLoop = std::function<void(const Tensors& inputs, float* out)>;

/// Empty where a plain loop says nothing.
RawLoop raw_loop(const std::string& op);

}  // namespace weft::bench

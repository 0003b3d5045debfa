#pragma once
// Einstein's sums.
#include <weft/engine/tensor.hpp>

#include <string_view>

namespace weft {

/// Names the axes of each operand by letters, "bij,bkj->bik": the result has those after the arrow, and products are
/// summed over all others. Without an arrow the result has the letters that stand once, in alphabetical order. A letter
/// twice in one term takes the diagonal. "..." stands for axes that are broadcast, and come first without an arrow;
/// an axis of size 1 is broadcast too (as in PyTorch). Spaces do not count. f32 and f64.
///
/// Operands are multiplied two at a time, matrix products where there is a sum; the order is the cheapest of all for up
/// to eight operands, with more of them always the pair that saves most memory. No result on the way has more than
/// eight axes; Error otherwise.
Tensor einsum(std::string_view equation, const Tensors& operands);

}  // namespace weft

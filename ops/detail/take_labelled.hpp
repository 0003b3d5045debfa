#pragma once
// Scores of labels: what losses pick, after checks of their own.
#include <weft/engine/tensor.hpp>

namespace weft::detail {

/// a[..., labels[...]] in the shape of the labels; 0, with no gradient, where a label is `ignored`. Nothing is checked:
/// `a` is floating, of shape {labels..., classes}, and every other label lies in [0, classes).
Tensor take_labelled(const Tensor& a, const Tensor& labels, std::int64_t ignored);

}  // namespace weft::detail

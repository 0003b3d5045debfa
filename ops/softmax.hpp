#pragma once
// Softmax along one axis, and the loss that belongs to it. f32 and f64.
#include <weft/engine/tensor.hpp>

namespace weft {

/// exp(a) / sum(exp(a)) along an axis, without overflow. A tensor without axes is taken as one value along axis 0.
Tensor softmax(const Tensor& a, int axis = -1);
/// log(softmax(a)).
Tensor log_softmax(const Tensor& a, int axis = -1);

/// Of each row of logits {rows, classes} the cross-entropy with its label (i64 {rows}): {rows}. Labels equal to
/// ignore_index give 0; with smoothing s the target is 1 - s on the label and s / classes on every class.
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing = 0,
                             std::int64_t ignore_index = -100);

}  // namespace weft

#pragma once
// Softmax along the middle axis of (outer, axis, inner), and softmax cross-entropy on rows. T is float or double.
// Outputs may be the same memory as the input or gradient of the same shape.
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <cstdint>

namespace weft::detail {

/// y = exp(x - max) / sum(exp(x - max)).
template <class T>
void softmax(const T* x, T* y, Collapsed shape);

/// y = x - logsumexp(x).
template <class T>
void log_softmax(const T* x, T* y, Collapsed shape);

/// dx = y * (dy - sum(dy * y)), from the output y.
template <class T>
void softmax_backward(const T* y, const T* dy, T* dx, Collapsed shape);

/// dx = dy - exp(y) * sum(dy), from the output y.
template <class T>
void log_softmax_backward(const T* y, const T* dy, T* dx, Collapsed shape);

struct SmoothedLabels {
  std::int64_t ignore_index = -100;  // rows with this label have loss 0 and gradient 0
  double label_smoothing = 0.0;      // s: the target is (1 - s) * one_hot(label) + s / classes
};

/// losses[r] = -sum(target * log_softmax(logits[r])) and lse[r] = logsumexp(logits[r]) for (rows, classes) logits.
/// Labels must be in [0, classes) or ignore_index.
template <class T>
void cross_entropy(const T* logits, const std::int64_t* labels, T* losses, T* lse, std::int64_t rows,
                   std::int64_t classes, const SmoothedLabels& options);

/// dx[r] = dloss[r] * (softmax(logits[r]) - target), from the saved lse.
template <class T>
void cross_entropy_backward(const T* logits, const std::int64_t* labels, const T* lse, const T* dloss, T* dx,
                            std::int64_t rows, std::int64_t classes, const SmoothedLabels& options);

}  // namespace weft::detail

#pragma once
// Losses. Gradients flow to the prediction, and to a floating target that requires them.
#include <weft/engine/tensor.hpp>

#include <concepts>

namespace weft::nn {

/// What becomes of the elements' losses: nothing, their mean, their sum.
enum class Reduction : std::uint8_t { none, mean, sum };

/// (prediction - target)^2; both of one shape.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);
/// |prediction - target|; both of one shape.
Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0.0;      ///< s: the target is 1 - s of what it was, and s / classes for every class
  std::int64_t ignore_index = -100;  ///< labels with this value give 0 and do not count in the mean
};

/// The cross-entropy of softmax(logits) over the last axis: logits {..., classes} with labels i64 {...}, or with
/// probabilities in the shape and dtype of the logits. The mean is over the labels that count.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, CrossEntropyOptions options = {});
/// The same with nothing but a reduction chosen, as the other losses take it.
template <std::same_as<Reduction> R>
Tensor cross_entropy(const Tensor& logits, const Tensor& target, R reduction) {
  return cross_entropy(logits, target, CrossEntropyOptions{.reduction = reduction});
}

struct NllOptions {
  Reduction reduction = Reduction::mean;
  std::int64_t ignore_index = -100;
};

/// Minus the label's log-probability: log_probabilities {..., classes}, labels i64 {...}.
Tensor nll(const Tensor& log_probabilities, const Tensor& labels, NllOptions options = {});
template <std::same_as<Reduction> R>
Tensor nll(const Tensor& log_probabilities, const Tensor& labels, R reduction) {
  return nll(log_probabilities, labels, NllOptions{.reduction = reduction});
}

/// The cross-entropy of sigmoid(logits) with targets in [0, 1], without overflow; both of one shape.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target, Reduction reduction = Reduction::mean);

}  // namespace weft::nn

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

struct HuberOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;  ///< where the parabola ends
};

/// Half of (prediction - target)^2 up to a difference of delta, beyond it goes on straight, with the slope delta (Huber
/// 1964); both of one shape.
Tensor huber(const Tensor& prediction, const Tensor& target, HuberOptions options = {});
/// The same with nothing but a reduction chosen, as the losses without options take it; so below.
template <std::same_as<Reduction> R>
Tensor huber(const Tensor& prediction, const Tensor& target, R reduction) {
  return huber(prediction, target, HuberOptions{.reduction = reduction});
}

struct SmoothL1Options {
  Reduction reduction = Reduction::mean;
  double beta = 1;  ///< where the parabola ends
};

/// huber with delta = beta, divided by beta, so that the slope is 1 at most; l1 if beta is 0. Both of one shape.
Tensor smooth_l1(const Tensor& prediction, const Tensor& target, SmoothL1Options options = {});
template <std::same_as<Reduction> R>
Tensor smooth_l1(const Tensor& prediction, const Tensor& target, R reduction) {
  return smooth_l1(prediction, target, SmoothL1Options{.reduction = reduction});
}

/// max(0, 1 - target prediction) for targets -1 and 1 (the hinge loss of support vector machines); both of one shape.
Tensor hinge(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0.0;      ///< s: the target is 1 - s of what it was, and s / classes for every class
  std::int64_t ignore_index = -100;  ///< labels with this value give 0 and do not count in the mean
};

/// The cross-entropy of softmax(logits) over the last axis: logits {..., classes} with labels i64 {...}, or with
/// probabilities in the shape and dtype of the logits. The mean is over the labels that count.
Tensor cross_entropy(const Tensor& logits, const Tensor& target, CrossEntropyOptions options = {});
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

/// The cross-entropy of probabilities with targets in [0, 1]; both of one shape. Logarithms are -100 at least, as in
/// PyTorch. nan where a probability is not in [0, 1].
Tensor bce(const Tensor& probabilities, const Tensor& target, Reduction reduction = Reduction::mean);
/// The cross-entropy of sigmoid(logits) with targets in [0, 1], without overflow; both of one shape.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target, Reduction reduction = Reduction::mean);

struct KlDivOptions {
  Reduction reduction = Reduction::mean;  ///< the mean is over all elements; of a distribution the sum is what counts
  bool log_target = false;                ///< the target is given as logarithms too
};

/// target (log(target) - log_probabilities), the terms of the Kullback-Leibler divergence; both of one shape.
Tensor kl_div(const Tensor& log_probabilities, const Tensor& target, KlDivOptions options = {});
template <std::same_as<Reduction> R>
Tensor kl_div(const Tensor& log_probabilities, const Tensor& target, R reduction) {
  return kl_div(log_probabilities, target, KlDivOptions{.reduction = reduction});
}

struct GaussianNllOptions {
  Reduction reduction = Reduction::mean;
  double eps = 1e-6;  ///< the least variance
  bool full = false;  ///< with the constant, log(2 pi) / 2
};

/// (log(variance) + (prediction - target)^2 / variance) / 2, minus the logarithm of a normal distribution's density;
/// all of one shape. Throws Error for a variance below 0. One below eps counts as eps, and takes the gradient of eps.
Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    GaussianNllOptions options = {});
template <std::same_as<Reduction> R>
Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance, R reduction) {
  return gaussian_nll(prediction, target, variance, GaussianNllOptions{.reduction = reduction});
}

/// sum(a b) / (max(|a|, eps) max(|b|, eps)) along an axis, with the lengths |a| and |b|; a and b are broadcast.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis = -1, double eps = 1e-8);

}  // namespace weft::nn

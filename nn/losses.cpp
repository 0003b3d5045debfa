#include <weft/nn/losses.hpp>

#include <cmath>
#include <numbers>

#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/loss.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/softmax.hpp>
#include <weft/ops/unary.hpp>

namespace weft::nn {
namespace {

void check_pair(const char* op, const Tensor& prediction, const Tensor& target) {
  detail::check_floating(op, prediction);
  if (prediction.shape() != target.shape() || prediction.dtype() != target.dtype())
    fail(op, ": got ", prediction.dtype(), " ", prediction.shape(), " and a target of ", target.dtype(), " ",
         target.shape(), ", needs one shape and dtype");
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::none: return losses;
    case Reduction::sum: return sum(losses);
    default: return mean(losses);
  }
}

// The losses of labels, or their sum, or the mean over the `count` labels that count.
Tensor reduced_labels(const Tensor& losses, Reduction reduction, std::int64_t count) {
  if (reduction == Reduction::none) return losses;
  const Tensor total = sum(losses);
  return reduction == Reduction::sum ? total : total / static_cast<double>(count);
}

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_pair("mse", prediction, target);
  return reduced(squared_difference(prediction, target), reduction);
}

Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_pair("l1", prediction, target);
  return reduced(absolute_difference(prediction, target), reduction);
}

Tensor huber(const Tensor& prediction, const Tensor& target, HuberOptions options) {
  check_pair("huber", prediction, target);
  if (!(options.delta > 0)) fail("huber: got delta ", options.delta, ", needs more than 0");
  return reduced(huber_difference(prediction, target, options.delta), options.reduction);
}

Tensor smooth_l1(const Tensor& prediction, const Tensor& target, SmoothL1Options options) {
  check_pair("smooth_l1", prediction, target);
  if (!(options.beta >= 0)) fail("smooth_l1: got beta ", options.beta, ", needs 0 or more");
  if (options.beta == 0) return reduced(absolute_difference(prediction, target), options.reduction);
  const Tensor losses = reduced(huber_difference(prediction, target, options.beta), options.reduction);
  return options.beta == 1 ? losses : losses / options.beta;
}

Tensor hinge(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_pair("hinge", prediction, target);
  return reduced(hinge_margin(prediction, target), reduction);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, CrossEntropyOptions options) {
  const double s = options.label_smoothing;
  if (!(s >= 0 && s <= 1)) fail("cross_entropy: got label_smoothing ", s, ", needs 0 <= s <= 1");
  if (is_floating(target.dtype())) {
    if (logits.rank() == 0) fail("cross_entropy: got a scalar, needs {..., classes}");
    if (target.rank() + 1 == logits.rank())
      fail("cross_entropy: got labels of ", target.dtype(), " ", target.shape(), ", needs i64 (see to())");
    check_pair("cross_entropy", logits, target);
    const auto classes = static_cast<double>(logits.size(-1));
    const Tensor wanted = s == 0 ? target : target * (1.0 - s) + s / classes;
    return reduced(neg(sum(wanted * log_softmax(logits, -1), -1)), options.reduction);
  }
  const std::int64_t count = detail::check_labels("cross_entropy", logits, target, options.ignore_index);
  const Tensor losses = softmax_cross_entropy(reshape(logits, {target.size(), logits.size(-1)}),
                                              reshape(target, {target.size()}), s, options.ignore_index);
  return options.reduction == Reduction::none ? reshape(losses, target.shape())
                                              : reduced_labels(losses, options.reduction, count);
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels, NllOptions options) {
  const std::int64_t count = detail::check_labels("nll", log_probabilities, labels, options.ignore_index);
  return neg(reduced_labels(take_labelled(log_probabilities, labels, options.ignore_index), options.reduction, count));
}

Tensor bce(const Tensor& probabilities, const Tensor& target, Reduction reduction) {
  check_pair("bce", probabilities, target);
  return reduced(bernoulli_cross_entropy(probabilities, target), reduction);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& target, Reduction reduction) {
  check_pair("bce_with_logits", logits, target);
  // softplus takes the overflow, and the form is smooth at 0, where most nets start.
  return reduced((1.0 - target) * logits + softplus(neg(logits)), reduction);
}

Tensor kl_div(const Tensor& log_probabilities, const Tensor& target, KlDivOptions options) {
  check_pair("kl_div", log_probabilities, target);
  return reduced(options.log_target ? relative_entropy_of_logs(log_probabilities, target)
                                    : relative_entropy(log_probabilities, target),
                 options.reduction);
}

Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    GaussianNllOptions options) {
  check_pair("gaussian_nll", prediction, target);
  check_pair("gaussian_nll", prediction, variance);
  if (!(options.eps > 0)) fail("gaussian_nll: got eps ", options.eps, ", needs more than 0");
  if (any(variance < 0.0).item() != 0) fail("gaussian_nll: got a variance below 0, needs 0 or more");
  Tensor losses = gaussian_surprise(prediction, target, variance, options.eps);
  if (options.full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return reduced(losses, options.reduction);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, int axis, double eps) {
  detail::check_floating("cosine_similarity", a);
  detail::check_same_dtype("cosine_similarity", a, b);
  const Shape shape = detail::broadcast_shapes("cosine_similarity", a.shape(), b.shape());
  // Counted from the end the axis is the same one in both. Who has fewer values along it than the sum, or none, is
  // repeated, and so its length is that of what is summed.
  const int along = detail::checked_axis("cosine_similarity", axis, shape.rank()) - shape.rank();
  const auto whole = [&](const Tensor& t) {
    return t.rank() + along >= 0 && t.size(along) == shape[along] ? t : broadcast_to(t, shape);
  };
  const auto length = [&](const Tensor& t) { return maximum(norm(t, along), eps); };
  const Tensor x = whole(a), y = whole(b);
  return sum(x * y, along) / (length(x) * length(y));
}

}  // namespace weft::nn

#include <weft/nn/losses.hpp>

#include <weft/ops/arithmetic.hpp>
#include <weft/ops/index.hpp>
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
  return reduced(abs(prediction - target), reduction);
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

Tensor bce_with_logits(const Tensor& logits, const Tensor& target, Reduction reduction) {
  check_pair("bce_with_logits", logits, target);
  // softplus takes the overflow, and the form is smooth at 0, where most nets start.
  return reduced((1.0 - target) * logits + softplus(neg(logits)), reduction);
}

}  // namespace weft::nn

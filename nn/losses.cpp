#include <weft/nn/losses.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/tape.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/elementwise.hpp>
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

// The shape of the labels that belong to {..., classes}.
Shape rows_of(const Shape& shape) {
  Shape rows = shape;
  if (shape.rank() > 0) rows.erase(shape.rank() - 1);
  return rows;
}

// Throws unless labels are i64 {...} in [0, classes) or ignored; returns how many count.
std::int64_t check_labels(const char* op, const Tensor& scores, const Tensor& labels, std::int64_t ignore_index) {
  detail::check_floating(op, scores);
  if (scores.rank() == 0 || labels.dtype() != i64 || labels.shape() != rows_of(scores.shape()))
    fail(op, ": got ", scores.dtype(), " ", scores.shape(), " and labels of ", labels.dtype(), " ", labels.shape(),
         ", needs {..., classes} and i64 {...}");
  const std::int64_t classes = scores.size(-1);
  std::int64_t count = 0;
  for (const std::int64_t label : labels.data<std::int64_t>()) {
    if (label == ignore_index) continue;
    if (label < 0 || label >= classes) fail(op, ": got the label ", label, ", needs 0 <= label < ", classes);
    ++count;
  }
  return count;
}

Tensor reduced_rows(const Tensor& losses, const Shape& rows, Reduction reduction, std::int64_t count) {
  if (reduction == Reduction::none) return reshape(losses, rows);
  const Tensor total = sum(losses);
  return reduction == Reduction::sum ? total : total / static_cast<double>(count);
}

Tensor place_labelled(const Tensor& values, const Tensor& labels, std::int64_t classes, std::int64_t ignore_index);

// scores[i, labels[i]], or 0 where ignored. Its gradient puts each row's value back in its place, and the other way
// round: two linear ops that are each other's backward.
struct PickLabelled : Op<PickLabelled> {
  static constexpr const char* name = "pick_labelled";
  std::int64_t classes = 0, ignored = 0;
  Tensor forward(Context& context, const Tensor& scores, const Tensor& labels, std::int64_t ignore_index) {
    classes = scores.size(-1);
    ignored = ignore_index;
    context.save(labels);
    Tensor result = detail::make_tensor(name, labels.shape(), scores.dtype());
    detail::visit_floating(scores.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* in = detail::data_of<T>(scores);
      const auto* label = detail::data_of<std::int64_t>(labels);
      T* out = detail::mutable_data_of<T>(result);
      for (std::int64_t i = 0; i < labels.size(); ++i)
        out[i] = label[i] == ignore_index ? T{0} : in[i * classes + label[i]];
    });
    return result;
  }
  Tensors backward(Context& context, const Tensor& g) const {
    return {place_labelled(g, context.saved(0), classes, ignored), Tensor()};
  }
};

struct PlaceLabelled : Op<PlaceLabelled> {
  static constexpr const char* name = "place_labelled";
  std::int64_t ignored = 0;
  Tensor forward(Context& context, const Tensor& values, const Tensor& labels, std::int64_t classes,
                 std::int64_t ignore_index) {
    ignored = ignore_index;
    context.save(labels);
    Tensor result = zeros({labels.size(), classes}, values.dtype());
    detail::visit_floating(values.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* in = detail::data_of<T>(values);
      const auto* label = detail::data_of<std::int64_t>(labels);
      T* out = detail::mutable_data_of<T>(result);
      for (std::int64_t i = 0; i < labels.size(); ++i)
        if (label[i] != ignore_index) out[i * classes + label[i]] = in[i];
    });
    return result;
  }
  Tensors backward(Context& context, const Tensor& g) const {
    return {apply<PickLabelled>(g, context.saved(0), ignored), Tensor()};
  }
};

Tensor place_labelled(const Tensor& values, const Tensor& labels, std::int64_t classes, std::int64_t ignore_index) {
  return apply<PlaceLabelled>(values, labels, classes, ignore_index);
}

// One pass over memory where square(a - b) takes two.
struct SquaredDifference : weft::detail::Elementwise<SquaredDifference, 2> {
  static constexpr const char* name = "squared_difference";
  static auto value(auto a, auto b) { return (a - b) * (a - b); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return g * (2.0 * (a - b)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return g * (2.0 * (b - a)); }
};

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_pair("mse", prediction, target);
  return reduced(apply<SquaredDifference>(prediction, target), reduction);
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
  const std::int64_t count = check_labels("cross_entropy", logits, target, options.ignore_index);
  const Tensor losses = softmax_cross_entropy(reshape(logits, {target.size(), logits.size(-1)}),
                                              reshape(target, {target.size()}), s, options.ignore_index);
  return reduced_rows(losses, target.shape(), options.reduction, count);
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels, NllOptions options) {
  const std::int64_t count = check_labels("nll", log_probabilities, labels, options.ignore_index);
  const Tensor picked = apply<PickLabelled>(reshape(log_probabilities, {labels.size(), log_probabilities.size(-1)}),
                                            reshape(labels, {labels.size()}), options.ignore_index);
  return reduced_rows(neg(picked), labels.shape(), options.reduction, count);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& target, Reduction reduction) {
  check_pair("bce_with_logits", logits, target);
  // softplus takes the overflow, and the form is smooth at 0, where most nets start.
  return reduced((1.0 - target) * logits + softplus(neg(logits)), reduction);
}

}  // namespace weft::nn

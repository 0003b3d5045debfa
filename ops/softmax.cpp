#include <weft/ops/softmax.hpp>

#include <algorithm>

#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/axis.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/kernels/norm/softmax.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {
namespace {

using detail::around;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

struct Softmax {
  static constexpr const char* name = "softmax";
  int axis;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor y = make_tensor(name, a.shape(), a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::softmax(data_of<T>(a), mutable_data_of<T>(y), around(a.shape(), axis));
    });
    ctx.save(y);
    return y;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor y = ctx.saved(0);
    if (grad_enabled()) return y * (g - sum(g * y, axis, true));
    Tensor gradient = make_tensor(name, g.shape(), g.dtype());
    detail::visit_floating(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::softmax_backward(data_of<T>(y), data_of<T>(g), mutable_data_of<T>(gradient), around(g.shape(), axis));
    });
    return gradient;
  }
  Fields describe() const { return {{"axis", axis}}; }
};

struct LogSoftmax {
  static constexpr const char* name = "log_softmax";
  int axis;

  Tensor forward(Context& ctx, const Tensor& a) const {
    Tensor y = make_tensor(name, a.shape(), a.dtype());
    detail::visit_floating(a.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::log_softmax(data_of<T>(a), mutable_data_of<T>(y), around(a.shape(), axis));
    });
    ctx.save(y);
    return y;
  }
  Tensor backward(Context& ctx, const Tensor& g) const {
    const Tensor y = ctx.saved(0);
    if (grad_enabled()) return g - exp(y) * sum(g, axis, true);
    Tensor gradient = make_tensor(name, g.shape(), g.dtype());
    detail::visit_floating(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::log_softmax_backward(data_of<T>(y), data_of<T>(g), mutable_data_of<T>(gradient), around(g.shape(), axis));
    });
    return gradient;
  }
  Fields describe() const { return {{"axis", axis}}; }
};

struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmax_cross_entropy";
  detail::SmoothedLabels options;

  Tensor forward(Context& ctx, const Tensor& logits, const Tensor& labels) const {
    const std::int64_t rows = logits.size(0), classes = logits.size(1);
    Tensor losses = make_tensor(name, {rows}, logits.dtype());
    Tensor lse = make_tensor(name, {rows}, logits.dtype());
    detail::visit_floating(logits.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::cross_entropy(data_of<T>(logits), data_of<std::int64_t>(labels), mutable_data_of<T>(losses),
                            mutable_data_of<T>(lse), rows, classes, options);
    });
    ctx.save(logits);
    ctx.save(labels);
    ctx.save(lse);
    return losses;
  }

  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const Tensor logits = ctx.saved(0), labels = ctx.saved(1);
    if (grad_enabled()) return {recorded_gradient(logits, labels, g), Tensor()};
    Tensor gradient = make_tensor(name, logits.shape(), logits.dtype());
    detail::visit_floating(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::cross_entropy_backward(data_of<T>(logits), data_of<std::int64_t>(labels), data_of<T>(ctx.saved(2)),
                                     data_of<T>(g), mutable_data_of<T>(gradient), logits.size(0), logits.size(1),
                                     options);
    });
    return {gradient, Tensor()};
  }
  Fields describe() const {
    return {{"label_smoothing", options.label_smoothing}, {"ignore_index", options.ignore_index}};
  }

  // g (softmax(logits) - target) in rows that count, from ops; the target is a constant.
  Tensor recorded_gradient(const Tensor& logits, const Tensor& labels, const Tensor& g) const {
    const std::int64_t rows = logits.size(0), classes = logits.size(1);
    Tensor target = make_tensor(name, logits.shape(), logits.dtype());
    Tensor counts = make_tensor(name, {rows, 1}, u8);
    const std::int64_t* label = data_of<std::int64_t>(labels);
    detail::visit_floating(logits.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* to = mutable_data_of<T>(target);
      std::fill_n(to, target.size(), static_cast<T>(options.label_smoothing / static_cast<double>(classes)));
      for (std::int64_t r = 0; r < rows; ++r) {
        const bool counted = label[r] != options.ignore_index;
        mutable_data_of<std::uint8_t>(counts)[r] = counted;
        if (counted) to[r * classes + label[r]] += static_cast<T>(1.0 - options.label_smoothing);
      }
    });
    return where(counts, reshape(g, {rows, 1}) * (softmax(logits, 1) - target), 0.0);
  }
};

}  // namespace

Tensor softmax(const Tensor& a, int axis) {
  detail::check_floating("softmax", a);
  if (a.rank() == 0) return reshape(softmax(reshape(a, {1}), axis), {});  // a scalar has an axis 0, as in PyTorch
  return apply(Softmax{detail::checked_axis("softmax", axis, a.rank())}, a);
}

Tensor log_softmax(const Tensor& a, int axis) {
  detail::check_floating("log_softmax", a);
  if (a.rank() == 0) return reshape(log_softmax(reshape(a, {1}), axis), {});
  return apply(LogSoftmax{detail::checked_axis("log_softmax", axis, a.rank())}, a);
}

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing, std::int64_t ignore_index) {
  constexpr const char* op = "softmax_cross_entropy";
  if (logits.rank() != 2) fail(op, ": got logits ", logits.shape(), ", needs {rows, classes}");
  if (!(smoothing >= 0.0 && smoothing <= 1.0)) fail(op, ": got smoothing ", smoothing, ", needs 0 <= smoothing <= 1");
  if (logits.size(1) == 0) fail(op, ": got logits ", logits.shape(), ", needs at least one class");
  detail::check_labels(op, logits, labels, ignore_index);
  return apply(SoftmaxCrossEntropy{{ignore_index, smoothing}}, logits, labels);
}

}  // namespace weft

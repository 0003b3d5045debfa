#include <weft/ops/normalization.hpp>

#include <algorithm>

#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/tape.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/kernels/norm/norm.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// The rows of width x.size(-1) that x consists of.
std::int64_t rows_of(const Tensor& x) {
  std::int64_t n = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) n *= x.size(i);
  return n;
}

// Weight and bias, either of which may be missing; those that are there are inputs 1 (and 2) of the op.
struct Affine {
  bool has_weight = false, has_bias = false;

  static Affine of(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    for (const Tensor& t : {weight, bias}) {
      if (!t.defined()) continue;
      detail::check_same_dtype(op, x, t);
      if (t.shape() != Shape{x.size(-1)})
        fail(op, ": got x ", x.shape(), " and a weight or bias of shape ", t.shape(), ", needs {", x.size(-1), "}");
    }
    return {weight.defined(), bias.defined()};
  }
  static Tensors inputs(const Tensor& weight, const Tensor& bias) {
    Tensors inputs;
    if (weight.defined()) inputs.push_back(weight);
    if (bias.defined()) inputs.push_back(bias);
    return inputs;
  }
  int weight_input() const { return 1; }
  int bias_input() const { return has_weight ? 2 : 1; }

  template <class T>
  const T* weight(const Tensors& inputs) const {
    return has_weight ? data_of<T>(inputs[0]) : nullptr;
  }
  template <class T>
  const T* bias(const Tensors& inputs) const {
    return has_bias ? data_of<T>(inputs[has_weight ? 1 : 0]) : nullptr;
  }
};

// Gradients of x, weight and bias, those that are wanted.
struct NormGradients {
  Tensor x, weight, bias;

  // Tensors to be filled by a kernel.
  static NormGradients made(const char* op, const Context& ctx, const Affine& affine, const Tensor& x) {
    NormGradients made;
    if (ctx.needs(0)) made.x = make_tensor(op, x.shape(), x.dtype());
    const Shape width{x.size(-1)};
    if (affine.has_weight && ctx.needs(affine.weight_input())) made.weight = make_tensor(op, width, x.dtype());
    if (affine.has_bias && ctx.needs(affine.bias_input())) made.bias = make_tensor(op, width, x.dtype());
    return made;
  }
  template <class T>
  static T* pointer(const Tensor& t) {
    return t.defined() ? mutable_data_of<T>(t) : nullptr;
  }
  Tensors list(const Affine& affine) const {
    Tensors gradients{x};
    if (affine.has_weight) gradients.push_back(weight);
    if (affine.has_bias) gradients.push_back(bias);
    return gradients;
  }
};

// The same from ops: x normalised over `axes` by statistics that depend on x. With `mean` and `variance` defined they
// are constants. What is still as large as x the tape sums to the size of weight and bias.
NormGradients recorded_gradients(const Tensor& x, const Tensor& weight, const Tensor& g, const Axes& axes, double eps,
                                 const Tensor& fixed_mean, const Tensor& fixed_variance) {
  const bool fixed = fixed_mean.defined();
  const Tensor centred = x - (fixed ? fixed_mean : mean(x, axes, true));
  const Tensor variance = fixed ? fixed_variance : mean(square(centred), axes, true);
  const Tensor scale = 1.0 / sqrt(variance + eps);
  const Tensor normal = centred * scale;
  const Tensor weighted = weight.defined() ? g * weight : g;
  NormGradients gradients{.x = {}, .weight = weight.defined() ? g * normal : Tensor(), .bias = g};
  if (fixed)
    gradients.x = weighted * scale;
  else
    gradients.x = scale * (weighted - mean(weighted, axes, true) - normal * mean(weighted * normal, axes, true));
  return gradients;
}

// Per-channel statistics kept by the caller: no inputs of the op, and updated in place.
struct RunningStatistics {
  Tensor mean, variance;

  template <class T>
  void update(const T* batch_mean, const T* batch_variance, std::int64_t rows, double momentum) {
    const double n = static_cast<double>(rows);
    const auto move = [&](Tensor& t, const T* batch, double factor) {
      if (!t.defined()) return;
      T* kept = t.mutable_data<T>().data();
      for (std::int64_t c = 0; c < t.size(); ++c)
        kept[c] = static_cast<T>((1.0 - momentum) * static_cast<double>(kept[c]) +
                                 momentum * factor * static_cast<double>(batch[c]));
    };
    move(mean, batch_mean, 1.0);
    move(variance, batch_variance, n / (n - 1.0));
  }
};

struct BatchNormOptions {
  Affine affine;
  bool training = false;
  double momentum = 0.1, eps = 1e-5;
};

struct BatchNorm : Op<BatchNorm> {
  static constexpr const char* name = "batch_norm";
  BatchNormOptions o;

  Tensor forward(Context& ctx, const Tensor& x, const Tensors& weight_bias, RunningStatistics running,
                 const BatchNormOptions& options) {
    o = options;
    const std::int64_t channels = x.size(-1), rows = rows_of(x);
    Tensor y = make_tensor(name, x.shape(), x.dtype());
    Tensor mean = running.mean, variance = running.variance;
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      if (o.training) {
        mean = make_tensor(name, {channels}, x.dtype());
        variance = make_tensor(name, {channels}, x.dtype());
        detail::column_moments(data_of<T>(x), mutable_data_of<T>(mean), mutable_data_of<T>(variance), rows, channels);
        running.update(data_of<T>(mean), data_of<T>(variance), rows, o.momentum);
      }
      detail::batch_norm(data_of<T>(x), data_of<T>(mean), data_of<T>(variance), o.affine.weight<T>(weight_bias),
                         o.affine.bias<T>(weight_bias), o.eps, mutable_data_of<T>(y), rows, channels);
    });
    ctx.save(x);
    ctx.save(mean);
    ctx.save(variance);
    if (o.affine.has_weight) ctx.save(weight_bias[0]);
    return y;
  }

  Tensors backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), mean = ctx.saved(1), variance = ctx.saved(2);
    const Tensor weight = o.affine.has_weight ? ctx.saved(3) : Tensor();
    if (grad_enabled()) {
      Axes axes;
      for (int i = 0; i + 1 < x.rank(); ++i) axes.append(i);
      return recorded_gradients(x, weight, g, axes, o.eps, o.training ? Tensor() : mean, variance).list(o.affine);
    }
    const auto made = NormGradients::made(name, ctx, o.affine, x);
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::batch_norm_backward(data_of<T>(x), data_of<T>(g), data_of<T>(mean), data_of<T>(variance),
                                  weight.defined() ? data_of<T>(weight) : nullptr, o.eps, o.training,
                                  NormGradients::pointer<T>(made.x), NormGradients::pointer<T>(made.weight),
                                  NormGradients::pointer<T>(made.bias), rows_of(x), x.size(-1));
    });
    return made.list(o.affine);
  }
};

struct LayerNorm : Op<LayerNorm> {
  static constexpr const char* name = "layer_norm";
  Affine affine;
  double eps = 1e-5;

  Tensor forward(Context& ctx, const Tensor& x, const Tensors& weight_bias, const Affine& which, double epsilon) {
    affine = which;
    eps = epsilon;
    const std::int64_t rows = rows_of(x);
    Tensor y = make_tensor(name, x.shape(), x.dtype());
    Tensor mean = make_tensor(name, {rows}, x.dtype()), scale = make_tensor(name, {rows}, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::layer_norm(data_of<T>(x), affine.weight<T>(weight_bias), affine.bias<T>(weight_bias), eps,
                         mutable_data_of<T>(y), mutable_data_of<T>(mean), mutable_data_of<T>(scale), rows, x.size(-1));
    });
    ctx.save(x);
    ctx.save(mean);
    ctx.save(scale);
    if (affine.has_weight) ctx.save(weight_bias[0]);
    return y;
  }

  Tensors backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), mean = ctx.saved(1), scale = ctx.saved(2);
    const Tensor weight = affine.has_weight ? ctx.saved(3) : Tensor();
    if (grad_enabled()) return recorded_gradients(x, weight, g, -1, eps, Tensor(), Tensor()).list(affine);
    const auto made = NormGradients::made(name, ctx, affine, x);
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::layer_norm_backward(data_of<T>(x), data_of<T>(g), weight.defined() ? data_of<T>(weight) : nullptr,
                                  data_of<T>(mean), data_of<T>(scale), NormGradients::pointer<T>(made.x),
                                  NormGradients::pointer<T>(made.weight), NormGradients::pointer<T>(made.bias),
                                  rows_of(x), x.size(-1));
    });
    return made.list(affine);
  }
};

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean, Tensor running_var,
                  bool training, double momentum, double eps) {
  constexpr const char* op = "batch_norm";
  detail::check_floating(op, x);
  if (x.rank() < 2) fail(op, ": got shape ", x.shape(), ", needs at least two axes, channels last");
  const Affine affine = Affine::of(op, x, weight, bias);
  for (const Tensor& t : {running_mean, running_var}) {
    if (!t.defined()) {
      if (!training) fail(op, ": got no running statistics, needs both where it is not training");
      continue;
    }
    detail::check_same_dtype(op, x, t);
    if (t.shape() != Shape{x.size(-1)} || t.requires_grad())
      fail(op, ": got x ", x.shape(), " and running statistics of shape ", t.shape(), ", needs constants {", x.size(-1),
           "}");
  }
  if (training && rows_of(x) < 2) fail(op, ": got shape ", x.shape(), " in training, needs two values a channel");
  return apply<BatchNorm>(x, Affine::inputs(weight, bias),
                          RunningStatistics{std::move(running_mean), std::move(running_var)},
                          BatchNormOptions{affine, training, momentum, eps});
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  constexpr const char* op = "layer_norm";
  detail::check_floating(op, x);
  if (x.rank() < 1 || x.size(-1) == 0) fail(op, ": got shape ", x.shape(), ", needs a last axis that is not empty");
  const Affine affine = Affine::of(op, x, weight, bias);
  return apply<LayerNorm>(x, Affine::inputs(weight, bias), affine, eps);
}

}  // namespace weft

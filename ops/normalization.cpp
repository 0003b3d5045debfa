#include <weft/ops/normalization.hpp>

#include <algorithm>
#include <limits>

#include <weft/engine/checkpoint.hpp>
#include <weft/engine/detail/node.hpp>
#include <weft/engine/detail/recipe.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/kernels/norm/norm.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
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

// Throws unless weight and bias, as far as they are there, have one value a channel.
void check_affine(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  for (const Tensor& t : {weight, bias}) {
    if (!t.defined()) continue;
    detail::check_same_dtype(op, x, t);
    if (t.shape() != Shape{x.size(-1)})
      fail(op, ": got x ", x.shape(), " and a weight or bias of shape ", t.shape(), ", needs {", x.size(-1), "}");
  }
}

// Null where the tensor is absent.
template <class T>
const T* pointer(const Tensor& t) {
  return t.defined() ? data_of<T>(t) : nullptr;
}

// Gradients of x, weight and bias: undefined where not wanted.
struct NormGradients {
  Tensor x, weight, bias;

  // Tensors to be filled by a kernel.
  static NormGradients made(const char* op, const Context& ctx, const Tensor& x) {
    NormGradients made;
    const Shape width{x.size(-1)};
    if (ctx.needs(0)) made.x = make_tensor(op, x.shape(), x.dtype());
    if (ctx.needs(1)) made.weight = make_tensor(op, width, x.dtype());
    if (ctx.input_count() > 2 && ctx.needs(2)) made.bias = make_tensor(op, width, x.dtype());
    return made;
  }
  template <class T>
  static T* pointer(const Tensor& t) {
    return t.defined() ? mutable_data_of<T>(t) : nullptr;
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

// Moves what the caller keeps towards the batch's statistics, in place.
template <class T>
void move_towards(const Tensor& kept, const T* batch, double factor, double momentum) {
  if (!kept.defined()) return;
  Tensor changed = kept;
  T* to = changed.mutable_data<T>().data();
  for (std::int64_t c = 0; c < kept.size(); ++c)
    to[c] = static_cast<T>((1.0 - momentum) * static_cast<double>(to[c]) +
                           momentum * factor * static_cast<double>(batch[c]));
}

// Of x, mean and variance, weight and bias.
Tensor normalized(const Tensors& from, double eps) {
  const Tensor &x = from[0], &mean = from[1], &variance = from[2], &weight = from[3], &bias = from[4];
  Tensor y = make_tensor("batch_norm", x.shape(), x.dtype());
  detail::visit_floating(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::batch_norm(data_of<T>(x), data_of<T>(mean), data_of<T>(variance), pointer<T>(weight), pointer<T>(bias), eps,
                       mutable_data_of<T>(y), rows_of(x), x.size(-1));
  });
  return y;
}

// Inputs: x, weight and bias, running mean and variance; all but x may be absent.
struct BatchNorm {
  static constexpr const char* name = "batch_norm";
  bool training;
  double momentum, eps;

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                 const Tensor& running_var) const {
    const std::int64_t channels = x.size(-1), rows = rows_of(x);
    Tensor mean = running_mean, variance = running_var;
    if (training)
      detail::visit_floating(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        mean = make_tensor(name, {channels}, x.dtype());
        variance = make_tensor(name, {channels}, x.dtype());
        detail::column_moments(data_of<T>(x), mutable_data_of<T>(mean), mutable_data_of<T>(variance), rows, channels);
        const auto n = static_cast<double>(rows);
        if (!recomputing()) {
          move_towards(running_mean, data_of<T>(mean), 1.0, momentum);
          move_towards(running_var, data_of<T>(variance), n / (n - 1.0), momentum);
        }
      });
    const Tensor y = normalized({x, mean, variance, weight, bias}, eps);
    for (const Tensor& t : {x, mean, variance, weight}) ctx.save(t);
    return y;
  }

  std::array<Tensor, 5> backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), mean = ctx.saved(1), variance = ctx.saved(2), weight = ctx.saved(3);
    if (grad_enabled()) {
      Axes axes;
      for (int i = 0; i + 1 < x.rank(); ++i) axes.append(i);
      const auto made = recorded_gradients(x, weight, g, axes, eps, training ? Tensor() : mean, variance);
      return {made.x, made.weight, made.bias};
    }
    const auto made = NormGradients::made(name, ctx, x);
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::batch_norm_backward(data_of<T>(x), data_of<T>(g), data_of<T>(mean), data_of<T>(variance),
                                  pointer<T>(weight), eps, training, NormGradients::pointer<T>(made.x),
                                  NormGradients::pointer<T>(made.weight), NormGradients::pointer<T>(made.bias),
                                  rows_of(x), x.size(-1));
    });
    return {made.x, made.weight, made.bias};
  }
  Fields describe() const { return {{"training", training}, {"momentum", momentum}, {"eps", eps}}; }
};

// Inputs: x, weight and bias; all but x may be absent.
struct LayerNorm {
  static constexpr const char* name = "layer_norm";
  double eps;

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias) const {
    const std::int64_t rows = rows_of(x);
    Tensor y = make_tensor(name, x.shape(), x.dtype());
    Tensor mean = make_tensor(name, {rows}, x.dtype()), scale = make_tensor(name, {rows}, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::layer_norm(data_of<T>(x), pointer<T>(weight), pointer<T>(bias), eps, mutable_data_of<T>(y),
                         mutable_data_of<T>(mean), mutable_data_of<T>(scale), rows, x.size(-1));
    });
    for (const Tensor& t : {x, mean, scale, weight}) ctx.save(t);
    return y;
  }

  std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), mean = ctx.saved(1), scale = ctx.saved(2), weight = ctx.saved(3);
    if (grad_enabled()) {
      const auto made = recorded_gradients(x, weight, g, -1, eps, Tensor(), Tensor());
      return {made.x, made.weight, made.bias};
    }
    const auto made = NormGradients::made(name, ctx, x);
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::layer_norm_backward(data_of<T>(x), data_of<T>(g), pointer<T>(weight), data_of<T>(mean), data_of<T>(scale),
                                  NormGradients::pointer<T>(made.x), NormGradients::pointer<T>(made.weight),
                                  NormGradients::pointer<T>(made.bias), rows_of(x), x.size(-1));
    });
    return {made.x, made.weight, made.bias};
  }
  Fields describe() const { return {{"eps", eps}}; }
};

// Inputs: x, weight and bias; all but x may be absent.
struct GroupNorm {
  static constexpr const char* name = "group_norm";
  std::int64_t groups;
  double eps;

  detail::GroupShape sizes(const Tensor& x) const {
    const std::int64_t images = x.size(0), channels = x.size(-1);
    std::int64_t pixels = 1;
    for (int i = 1; i + 1 < x.rank(); ++i) pixels *= x.size(i);
    return {images, pixels, channels, groups};
  }

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias) const {
    const detail::GroupShape s = sizes(x);
    Tensor y = make_tensor(name, x.shape(), x.dtype());
    const Shape parts{s.images, groups};
    Tensor mean = make_tensor(name, parts, x.dtype()), scale = make_tensor(name, parts, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::group_norm(data_of<T>(x), pointer<T>(weight), pointer<T>(bias), eps, mutable_data_of<T>(y),
                         mutable_data_of<T>(mean), mutable_data_of<T>(scale), s);
    });
    for (const Tensor& t : {x, mean, scale, weight}) ctx.save(t);
    return y;
  }

  std::array<Tensor, 3> backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), mean = ctx.saved(1), scale = ctx.saved(2), weight = ctx.saved(3);
    const detail::GroupShape s = sizes(x);
    if (grad_enabled()) {
      const std::int64_t width = s.channels / groups;
      const Shape split{s.images, s.pixels, groups, width};
      const Tensor factor = weight.defined() ? reshape(weight, {groups, width}) : weight;
      const auto made =
          recorded_gradients(reshape(x, split), factor, reshape(g, split), {1, 3}, eps, Tensor(), Tensor());
      const auto whole = [&](const Tensor& t) { return t.defined() ? reshape(t, x.shape()) : t; };
      return {whole(made.x), whole(made.weight), g};
    }
    const auto made = NormGradients::made(name, ctx, x);
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::group_norm_backward(data_of<T>(x), data_of<T>(g), pointer<T>(weight), data_of<T>(mean), data_of<T>(scale),
                                  NormGradients::pointer<T>(made.x), NormGradients::pointer<T>(made.weight),
                                  NormGradients::pointer<T>(made.bias), s);
    });
    return {made.x, made.weight, made.bias};
  }
  Fields describe() const { return {{"groups", groups}, {"eps", eps}}; }
};

// Inputs: x and weight, which may be absent. Layer norm's kernels without a mean.
struct RmsNorm {
  static constexpr const char* name = "rms_norm";
  double eps;

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& weight) const {
    const std::int64_t rows = rows_of(x);
    Tensor y = make_tensor(name, x.shape(), x.dtype()), scale = make_tensor(name, {rows}, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::layer_norm<T>(data_of<T>(x), pointer<T>(weight), nullptr, eps, mutable_data_of<T>(y), nullptr,
                            mutable_data_of<T>(scale), rows, x.size(-1));
    });
    for (const Tensor& t : {x, scale, weight}) ctx.save(t);
    return y;
  }

  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0), scale = ctx.saved(1), weight = ctx.saved(2);
    if (grad_enabled()) {
      const Tensor factor = 1.0 / sqrt(mean(square(x), -1, true) + eps), normal = x * factor;
      const Tensor weighted = weight.defined() ? g * weight : g;
      return {factor * (weighted - normal * mean(weighted * normal, -1, true)),
              weight.defined() ? g * normal : Tensor()};
    }
    const auto made = NormGradients::made(name, ctx, x);
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::layer_norm_backward<T>(data_of<T>(x), data_of<T>(g), pointer<T>(weight), nullptr, data_of<T>(scale),
                                     NormGradients::pointer<T>(made.x), NormGradients::pointer<T>(made.weight), nullptr,
                                     rows_of(x), x.size(-1));
    });
    return {made.x, made.weight};
  }
  Fields describe() const { return {{"eps", eps}}; }
};

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormStatistics& by) {
  constexpr const char* op = "batch_norm";
  detail::check_floating(op, x);
  if (x.rank() < 2) fail(op, ": got shape ", x.shape(), ", needs at least two axes, channels last");
  check_affine(op, x, weight, bias);
  for (const Tensor& t : {by.running_mean, by.running_var}) {
    if (!t.defined()) {
      if (!by.training) fail(op, ": got no running statistics, needs both where it is not training");
      continue;
    }
    detail::check_same_dtype(op, x, t);
    if (t.shape() != Shape{x.size(-1)} || t.requires_grad())
      fail(op, ": got x ", x.shape(), " and running statistics of shape ", t.shape(), ", needs constants {", x.size(-1),
           "}");
  }
  if (by.training && rows_of(x) < 2) fail(op, ": got shape ", x.shape(), " in training, needs two values a channel");
  Tensor y = apply(BatchNorm{by.training, by.momentum, by.eps}, x, weight, bias, by.running_mean, by.running_var);
  if (const Node* const node = y.impl()->node; node != nullptr && detail::uses_recipes()) {
    const auto constant = [](const Tensor& t) { return t.defined() ? t.detach() : t; };
    // With the statistics that it was normalised by, which backward has too.
    const Tensors from{x.detach(), node->saved()[1].tensor, node->saved()[2].tensor, constant(weight), constant(bias)};
    detail::note_recipe(
        y, std::make_shared<detail::Recipe>(op, from, [eps = by.eps](const Tensors& t) { return normalized(t, eps); }));
  }
  return y;
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  constexpr const char* op = "layer_norm";
  detail::check_floating(op, x);
  if (x.rank() < 1 || x.size(-1) == 0) fail(op, ": got shape ", x.shape(), ", needs a last axis that is not empty");
  check_affine(op, x, weight, bias);
  return apply(LayerNorm{eps}, x, weight, bias);
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  constexpr const char* op = "group_norm";
  detail::check_floating(op, x);
  const bool fits = x.rank() >= 2 && groups >= 1 && x.size(-1) % groups == 0;
  if (!fits || std::any_of(x.shape().begin() + 1, x.shape().end(), [](std::int64_t size) { return size == 0; }))
    fail(op, ": got shape ", x.shape(), " and ", groups,
         " groups, needs {batch, ..., channels} with the channels a multiple of the groups and no axis after the batch "
         "empty");
  check_affine(op, x, weight, bias);
  return apply(GroupNorm{groups, eps}, x, weight, bias);
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, std::optional<double> eps) {
  constexpr const char* op = "rms_norm";
  detail::check_floating(op, x);
  if (x.rank() < 1 || x.size(-1) == 0) fail(op, ": got shape ", x.shape(), ", needs a last axis that is not empty");
  check_affine(op, x, weight, Tensor());
  const double least =
      x.dtype() == f32 ? double{std::numeric_limits<float>::epsilon()} : std::numeric_limits<double>::epsilon();
  return apply(RmsNorm{eps.value_or(least)}, x, weight);
}

}  // namespace weft

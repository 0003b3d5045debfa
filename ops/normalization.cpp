#include <weft/ops/normalization.hpp>

#include <algorithm>
#include <limits>

#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/normalization.hpp>
#include <weft/ops/kernels/norm/norm.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

namespace detail {

void check_affine(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  for (const Tensor& t : {weight, bias}) {
    if (!t.defined()) continue;
    check_same_dtype(op, x, t);
    if (t.shape() != Shape{x.size(-1)})
      fail(op, ": got x ", x.shape(), " and a weight or bias of shape ", t.shape(), ", needs {", x.size(-1), "}");
  }
}

NormGradients NormGradients::made(const char* op, const Context& ctx, const Tensor& x) {
  NormGradients made;
  const Shape width{x.size(-1)};
  if (ctx.needs(0)) made.x = make_tensor(op, x.shape(), x.dtype());
  if (ctx.needs(1)) made.weight = make_tensor(op, width, x.dtype());
  if (ctx.input_count() > 2 && ctx.needs(2)) made.bias = make_tensor(op, width, x.dtype());
  return made;
}
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

}  // namespace detail

namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using detail::mutable_pointer;
using detail::NormGradients;
using detail::pointer;
using detail::recorded_gradients;
using detail::rows_of;

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
                                  mutable_pointer<T>(made.x), mutable_pointer<T>(made.weight),
                                  mutable_pointer<T>(made.bias), rows_of(x), x.size(-1));
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
                                  mutable_pointer<T>(made.x), mutable_pointer<T>(made.weight),
                                  mutable_pointer<T>(made.bias), s);
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
                                     mutable_pointer<T>(made.x), mutable_pointer<T>(made.weight), nullptr, rows_of(x),
                                     x.size(-1));
    });
    return {made.x, made.weight};
  }
  Fields describe() const { return {{"eps", eps}}; }
};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  constexpr const char* op = "layer_norm";
  detail::check_floating(op, x);
  if (x.rank() < 1 || x.size(-1) == 0) fail(op, ": got shape ", x.shape(), ", needs a last axis that is not empty");
  detail::check_affine(op, x, weight, bias);
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
  detail::check_affine(op, x, weight, bias);
  return apply(GroupNorm{groups, eps}, x, weight, bias);
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, std::optional<double> eps) {
  constexpr const char* op = "rms_norm";
  detail::check_floating(op, x);
  if (x.rank() < 1 || x.size(-1) == 0) fail(op, ": got shape ", x.shape(), ", needs a last axis that is not empty");
  detail::check_affine(op, x, weight, Tensor());
  const double least =
      x.dtype() == f32 ? double{std::numeric_limits<float>::epsilon()} : std::numeric_limits<double>::epsilon();
  return apply(RmsNorm{eps.value_or(least)}, x, weight);
}

}  // namespace weft

#include <weft/engine/checkpoint.hpp>
#include <weft/engine/detail/node.hpp>
#include <weft/engine/detail/recipe.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/activation.hpp>
#include <weft/ops/detail/normalization.hpp>
#include <weft/ops/kernels/norm/batch_norm.hpp>
#include <weft/ops/kernels/norm/norm.hpp>
#include <weft/ops/normalization.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using detail::mutable_pointer;
using detail::pointer;
using detail::rows_of;

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

// What a batch norm normalises by.
struct Normal {
  Tensor mean, variance, weight, bias;
  double eps;

  template <class T>
  detail::Normalization<T> of(const Tensor& x) const {
    return {rows_of(x), x.size(-1), data_of<T>(mean), data_of<T>(variance), pointer<T>(weight), pointer<T>(bias), eps};
  }
};

// What may follow the normalisation in the same pass.
enum class Then : std::uint8_t { nothing, relu, add_and_relu };

// What finishes a vector of the normalised x: (vector, row, value).
template <Then then, class T>
auto finish_with(const Tensor& shortcut) {
  using detail::Register;
  const T* const beside = pointer<T>(shortcut);
  return [=](auto v, std::int64_t row, const detail::Vector<T>& value) -> detail::Vector<T> {
    if constexpr (then == Then::nothing) return value;
    if constexpr (then == Then::relu) return detail::Relu::value(Register<T>(value)).v;
    if constexpr (then == Then::add_and_relu) return detail::Relu::value(Register<T>(value + v.load(beside + row))).v;
  };
}

template <Then then>
Tensor normalized(const char* op, const Tensor& x, const Normal& by, const Tensor& shortcut = {}) {
  Tensor y = make_tensor(op, x.shape(), x.dtype());
  detail::visit_floating(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    detail::batch_norm(by.of<T>(x), data_of<T>(x), mutable_data_of<T>(y), finish_with<then, T>(shortcut));
  });
  return y;
}

// Inputs: x, weight and bias, running mean and variance, and the shortcut; all but x may be absent.
template <Then then>
struct BatchNorm {
  static constexpr const char* name = then == Then::nothing ? "batch_norm"
                                      : then == Then::relu  ? "batch_norm_relu"
                                                            : "batch_norm_add_relu";
  static constexpr const char* parts[] = {"batch_norm", then == Then::relu ? "relu" : "add, relu"};
  static constexpr const char* const* halves = then == Then::nothing ? nullptr : parts;
  bool training;
  double momentum, eps;

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                 const Tensor& running_var, const Tensor& shortcut) const {
    const std::int64_t channels = x.size(-1), rows = rows_of(x);
    Normal by{.mean = running_mean, .variance = running_var, .weight = weight, .bias = bias, .eps = eps};
    if (training)
      detail::visit_floating(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        by.mean = make_tensor(name, {channels}, x.dtype());
        by.variance = make_tensor(name, {channels}, x.dtype());
        detail::column_moments(data_of<T>(x), mutable_data_of<T>(by.mean), mutable_data_of<T>(by.variance), rows,
                               channels);
        const auto n = static_cast<double>(rows);
        if (!recomputing()) {
          move_towards(running_mean, data_of<T>(by.mean), 1.0, momentum);
          move_towards(running_var, data_of<T>(by.variance), n / (n - 1.0), momentum);
        }
      });
    const Tensor y = normalized<then>(name, x, by, shortcut);
    for (const Tensor& t : {x, by.mean, by.variance, weight}) ctx.save(t);
    // Where relu has cut, backward sees in y; without a shortcut it finds y from x, which is read anyway.
    if constexpr (then == Then::relu) ctx.save(bias);
    if constexpr (then == Then::add_and_relu) ctx.save(y);
    return y;
  }

  std::array<Tensor, 6> backward(Context& ctx, const Tensor& g) const {
    const Tensor x = ctx.saved(0);
    const Normal by{.mean = ctx.saved(1),
                    .variance = ctx.saved(2),
                    .weight = ctx.saved(3),
                    .bias = then == Then::relu ? ctx.saved(4) : Tensor(),
                    .eps = eps};
    const Tensor y = then == Then::add_and_relu ? ctx.saved(4) : Tensor();
    return grad_enabled() ? recorded(x, by, y, g) : computed(ctx, x, by, y, g);
  }
  Fields describe() const { return {{"training", training}, {"momentum", momentum}, {"eps", eps}}; }

 private:
  std::array<Tensor, 6> recorded(const Tensor& x, const Normal& by, const Tensor& y, const Tensor& g) const {
    Tensor of_normal = g;
    if constexpr (then != Then::nothing) {
      const Tensor finished = y.defined() ? y.detach() : normalized<then>(name, x, by);
      of_normal = detail::Relu::d0(g, Tensor(), finished);
    }
    Axes axes;
    for (int i = 0; i + 1 < x.rank(); ++i) axes.append(i);
    const auto made =
        detail::recorded_gradients(x, by.weight, of_normal, axes, eps, training ? Tensor() : by.mean, by.variance);
    return {made.x, made.weight, made.bias, {}, {}, then == Then::add_and_relu ? of_normal : Tensor()};
  }

  // The gradient of what was normalised is g where relu has not cut. With a shortcut it is the shortcut's gradient too.
  std::array<Tensor, 6> computed(Context& ctx, const Tensor& x, const Normal& by, const Tensor& y,
                                 const Tensor& g) const {
    const bool wants_shortcut = then == Then::add_and_relu && ctx.needs(5);
    const Tensor beside = wants_shortcut ? detail::in_place_of(name, g) : Tensor();
    const Tensor dx = !ctx.needs(0)    ? Tensor()
                      : wants_shortcut ? make_tensor(name, x.shape(), x.dtype())
                                       : detail::in_place_of(name, g);
    const Shape width{x.size(-1)};
    const Tensor weight = ctx.needs(1) ? make_tensor(name, width, x.dtype()) : Tensor();
    const Tensor bias = ctx.needs(2) ? make_tensor(name, width, x.dtype()) : Tensor();
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      using R = detail::Register<T>;
      const auto n = by.of<T>(x);
      const T *from = data_of<T>(x), *dy = data_of<T>(g);
      const auto run = [&](auto first, auto again) {
        detail::batch_norm_backward(n, from, training, wants_shortcut,
                                    {mutable_pointer<T>(dx), mutable_pointer<T>(weight), mutable_pointer<T>(bias)},
                                    first, again);
      };
      const auto whole = [dy](auto v, std::int64_t row, std::int64_t) { return v.load(dy + row); };
      if constexpr (then == Then::nothing) {
        run(whole, whole);
      } else if constexpr (then == Then::relu) {
        const detail::Normalize<T> normalize(n, detail::column_repeat<T>(n.rows, n.channels));
        const auto part = [=, normal = normalize.on(from)](auto v, std::int64_t row, std::int64_t column) {
          return where(R(normal(v, row, column)) <= 0.0, 0.0, R(v.load(dy + row))).v;  // one comparison for relu's two
        };
        run(part, part);
      } else {
        const auto part = [=, finished = data_of<T>(y)](auto v, std::int64_t row, std::int64_t) {
          return detail::Relu::d0(R(v.load(dy + row)), R(), R(v.load(finished + row))).v;
        };
        if (!wants_shortcut) return run(part, part);
        T* const to = mutable_data_of<T>(beside);
        run(
            [=](auto v, std::int64_t row, std::int64_t column) {
              const detail::Vector<T> d = part(v, row, column);
              v.store(to + row, d);
              return d;
            },
            [to](auto v, std::int64_t row, std::int64_t) { return v.load(to + row); });
      }
    });
    return {dx, weight, bias, {}, {}, beside};
  }
};

template <Then then>
Tensor checked_batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormStatistics& by,
                          const Tensor& shortcut = {}) {
  using Op = BatchNorm<then>;
  constexpr const char* name = Op::name;
  detail::check_floating(name, x);
  if (x.rank() < 2) fail(name, ": got shape ", x.shape(), ", needs at least two axes, channels last");
  detail::check_affine(name, x, weight, bias);
  for (const Tensor& t : {by.running_mean, by.running_var}) {
    if (!t.defined()) {
      if (!by.training) fail(name, ": got no running statistics, needs both where it is not training");
      continue;
    }
    detail::check_same_dtype(name, x, t);
    if (t.shape() != Shape{x.size(-1)} || t.requires_grad())
      fail(name, ": got x ", x.shape(), " and running statistics of shape ", t.shape(), ", needs constants {",
           x.size(-1), "}");
  }
  if (by.training && rows_of(x) < 2) fail(name, ": got shape ", x.shape(), " in training, needs two values a channel");
  if constexpr (then == Then::add_and_relu) {
    detail::check_same_dtype(name, x, shortcut);
    if (shortcut.shape() != x.shape())
      fail(name, ": got x ", x.shape(), " and a shortcut of shape ", shortcut.shape(), ", needs the same");
  }
  Tensor y = apply(Op{by.training, by.momentum, by.eps}, x, weight, bias, by.running_mean, by.running_var, shortcut);
  const Node* const node = y.impl()->node;
  // What a shortcut was added to cannot be made again without the shortcut, which nobody else may keep.
  if (node == nullptr || then == Then::add_and_relu || !detail::uses_recipes()) return y;
  const auto constant = [](const Tensor& t) { return t.defined() ? t.detach() : t; };
  // With the statistics that it was normalised by, which backward has too.
  const Tensors from{x.detach(), node->saved()[1].tensor, node->saved()[2].tensor, constant(weight), constant(bias)};
  detail::note_recipe(y, std::make_shared<detail::Recipe>(name, from, [eps = by.eps](const Tensors& t) {
                        return normalized<then>(name, t[0], {t[1], t[2], t[3], t[4], eps});
                      }));
  return y;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormStatistics& by) {
  return checked_batch_norm<Then::nothing>(x, weight, bias, by);
}

Tensor batch_norm_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormStatistics& by,
                       const Tensor& shortcut) {
  return shortcut.defined() ? checked_batch_norm<Then::add_and_relu>(x, weight, bias, by, shortcut)
                            : checked_batch_norm<Then::relu>(x, weight, bias, by);
}

}  // namespace weft

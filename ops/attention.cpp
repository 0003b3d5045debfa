#include <weft/ops/attention.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <weft/engine/detail/entrance.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/kernels/attention/attention.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/softmax.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

constexpr double infinity = std::numeric_limits<double>::infinity();

double usual_scale(std::int64_t features) { return 1 / std::sqrt(static_cast<double>(features)); }

// The axes before the last two.
Shape lead_of(const Tensor& t) {
  return t.defined() ? Shape(t.shape().begin(), static_cast<std::size_t>(t.rank() - 2)) : Shape();
}

Shape joined(Shape lead, std::int64_t rows, std::int64_t columns) {
  lead.append(rows);
  lead.append(columns);
  return lead;
}

// One matrix behind the other; null if the tensor is absent.
template <class T>
detail::Matrices<T> matrices(const Tensor& t) {
  if (!t.defined()) return {};
  using Value = std::remove_const_t<T>;
  T* data = nullptr;
  if constexpr (std::is_const_v<T>)
    data = data_of<Value>(t);
  else
    data = mutable_data_of<Value>(t);
  return {.data = data, .outer = t.size(-2) * t.size(-1), .row = t.size(-1)};
}

// Part `i` of {batch, time, parts, heads, features}, a matrix a head.
template <class T>
detail::Matrices<T> heads_of(T* data, std::int64_t i, std::int64_t parts, std::int64_t heads, std::int64_t time,
                             std::int64_t features) {
  const std::int64_t width = heads * features;
  return {.data = data + i * width,
          .outer = time * parts * width,
          .row = parts * width,
          .inner = features,
          .inner_count = heads};
}

template <class T>
void set_mask(detail::Attention<T>& a, const Tensor& mask) {
  if (!mask.defined()) return;
  a.mask_rows = mask.size(-2);
  if (mask.dtype() == u8)
    a.allowed = data_of<std::uint8_t>(mask);
  else
    a.added = data_of<T>(mask);
}

// Inputs: q, k, v and a mask or nothing.
struct ScaledDotProductAttention {
  static constexpr const char* name = "scaled_dot_product_attention";
  double scale;
  bool causal;

  Tensor forward(Context& ctx, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) const {
    const Shape lead = batch_of(q, k, v, mask);
    Tensor y = make_tensor(name, joined(lead, q.size(-2), v.size(-1)), q.dtype());
    Tensor lse = make_tensor(name, {lead.size(), q.size(-2)}, q.dtype());
    detail::visit_floating(q.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::attention(problem<T>(lead, q, k, v, mask), matrices<T>(y), mutable_data_of<T>(lse));
    });
    for (const Tensor& t : {q, k, v, mask, y, lse}) ctx.save(t);
    return y;
  }

  std::array<Tensor, 4> backward(Context& ctx, const Tensor& g) const {
    const Tensor q = ctx.saved(0), k = ctx.saved(1), v = ctx.saved(2), mask = ctx.saved(3);
    if (grad_enabled()) return recorded_gradients(q, k, v, mask, g);
    const Shape lead = batch_of(q, k, v, mask);
    std::array<Tensor, 4> gradients;
    const auto make = [&](int i, std::int64_t rows, std::int64_t columns) {
      if (ctx.needs(i))
        gradients[static_cast<std::size_t>(i)] = make_tensor(name, joined(lead, rows, columns), q.dtype());
    };
    make(0, q.size(-2), q.size(-1));
    make(1, k.size(-2), k.size(-1));
    make(2, v.size(-2), v.size(-1));
    make(3, q.size(-2), k.size(-2));
    detail::visit_floating(q.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto& [dq, dk, dv, dmask] = gradients;
      detail::attention_backward(problem<T>(lead, q, k, v, mask), matrices<const T>(ctx.saved(4)),
                                 data_of<T>(ctx.saved(5)), matrices<const T>(g),
                                 {.q = matrices<T>(dq),
                                  .k = matrices<T>(dk),
                                  .v = matrices<T>(dv),
                                  .mask = dmask.defined() ? mutable_data_of<T>(dmask) : nullptr});
    });
    return gradients;
  }
  Fields describe() const { return {{"scale", scale}, {"causal", causal}}; }

  static Shape batch_of(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
    Shape lead = detail::broadcast_shapes(name, lead_of(q), lead_of(k));
    lead = detail::broadcast_shapes(name, lead, lead_of(v));
    return detail::broadcast_shapes(name, lead, lead_of(mask));
  }

 private:
  template <class T>
  detail::Attention<T> problem(const Shape& lead, const Tensor& q, const Tensor& k, const Tensor& v,
                               const Tensor& mask) const {
    detail::Attention<T> a{
        .queries = q.size(-2),
        .keys = k.size(-2),
        .features = q.size(-1),
        .values = v.size(-1),
        .scale = scale,
        .causal = causal,
        .count = lead.size(),
        .batches = detail::broadcast_loops<4>(lead, {lead_of(q), lead_of(k), lead_of(v), lead_of(mask)}),
        .q = matrices<const T>(q),
        .k = matrices<const T>(k),
        .v = matrices<const T>(v)};
    set_mask(a, mask);
    return a;
  }

  // Of softmax(scores) v, from ops. Rows without a key to attend to are taken out before softmax would make nan of
  // them.
  std::array<Tensor, 4> recorded_gradients(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                                           const Tensor& g) const {
    Tensor scores = matmul(q, transpose(k)) * scale;
    if (mask.defined()) scores = mask.dtype() == u8 ? where(mask, scores, -infinity) : scores + mask;
    if (causal) scores = where(causal_mask(q.size(-2), k.size(-2)), scores, -infinity);
    const Tensor seen = not_equal(scores, -infinity);
    const Tensor p = where(seen, softmax(where(any(seen, -1, true), scores, 0.0), -1), 0.0);
    const Tensor slope = matmul(g, transpose(v));
    const Tensor ds = p * (slope - sum(p * slope, -1, true));
    return {matmul(ds, k) * scale, matmul(transpose(ds), q) * scale, matmul(transpose(p), g),
            mask.defined() && mask.dtype() != u8 ? ds : Tensor()};
  }

  static Tensor causal_mask(std::int64_t queries, std::int64_t keys) {
    Tensor mask = make_tensor(name, {queries, keys}, u8);
    auto* row = mutable_data_of<std::uint8_t>(mask);
    for (std::int64_t i = 0; i < queries; ++i, row += keys)
      for (std::int64_t j = 0; j < keys; ++j) row[j] = j <= i;
    return mask;
  }
};

// Inputs: queries, keys and values of all heads beside each other, {batch, time, 3 heads features}, and a mask or
// nothing.
struct SelfAttention {
  static constexpr const char* name = "self_attention";
  std::int64_t heads;
  bool causal;

  Tensor forward(Context& ctx, const Tensor& qkv, const Tensor& mask) const {
    const std::int64_t batch = qkv.size(0), time = qkv.size(1), width = qkv.size(2) / 3;
    Tensor y = make_tensor(name, {batch, time, width}, qkv.dtype());
    Tensor lse = make_tensor(name, {batch * heads, time}, qkv.dtype());
    detail::visit_floating(qkv.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::attention(problem<T>(qkv, mask), heads_of(mutable_data_of<T>(y), 0, 1, heads, time, width / heads),
                        mutable_data_of<T>(lse));
    });
    for (const Tensor& t : {qkv, mask, y, lse}) ctx.save(t);
    return y;
  }

  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    const Tensor qkv = ctx.saved(0), mask = ctx.saved(1);
    if (grad_enabled()) {
      const Tensors found = detail::recorded_gradients(
          [this](const Tensors& in) { return Tensors{from_ops(in[0], in[1])}; }, {qkv, mask}, {g});
      return {found[0], ctx.needs(1) ? found[1] : Tensor()};
    }
    const std::int64_t time = qkv.size(1), features = qkv.size(2) / 3 / heads;
    std::array<Tensor, 2> gradients{make_tensor(name, qkv.shape(), qkv.dtype()), Tensor()};
    if (ctx.needs(1)) gradients[1] = make_tensor(name, {qkv.size(0), heads, time, time}, qkv.dtype());
    detail::visit_floating(qkv.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto part = [&](std::int64_t i) {
        return heads_of(mutable_data_of<T>(gradients[0]), i, 3, heads, time, features);
      };
      const auto whole = [&](const Tensor& t) { return heads_of(data_of<T>(t), 0, 1, heads, time, features); };
      detail::attention_backward(problem<T>(qkv, mask), whole(ctx.saved(2)), data_of<T>(ctx.saved(3)), whole(g),
                                 {.q = part(0),
                                  .k = part(1),
                                  .v = part(2),
                                  .mask = gradients[1].defined() ? mutable_data_of<T>(gradients[1]) : nullptr});
    });
    return gradients;
  }
  Fields describe() const { return {{"heads", heads}, {"causal", causal}}; }

  // What a mask is broadcast to, but for queries and keys.
  Shape lead(const Tensor& qkv) const { return {qkv.size(0), heads}; }

 private:
  template <class T>
  detail::Attention<T> problem(const Tensor& qkv, const Tensor& mask) const {
    const std::int64_t time = qkv.size(1), features = qkv.size(2) / 3 / heads;
    const auto part = [&](std::int64_t i) { return heads_of(data_of<T>(qkv), i, 3, heads, time, features); };
    detail::Attention<T> a{
        .queries = time,
        .keys = time,
        .features = features,
        .values = features,
        .scale = usual_scale(features),
        .causal = causal,
        .count = qkv.size(0) * heads,
        .batches = detail::broadcast_loops<4>(lead(qkv), {lead(qkv), lead(qkv), lead(qkv), lead_of(mask)}),
        .q = part(0),
        .k = part(1),
        .v = part(2)};
    set_mask(a, mask);
    return a;
  }

  Tensor from_ops(const Tensor& qkv, const Tensor& mask) const {
    const Shape apart{qkv.size(0), qkv.size(1), 3, heads, qkv.size(2) / 3 / heads};
    const Tensors parts = split(permute(reshape(qkv, apart), {2, 0, 3, 1, 4}), 1, 0);
    const Tensor y = scaled_dot_product_attention(squeeze(parts[0], 0), squeeze(parts[1], 0), squeeze(parts[2], 0),
                                                  mask, {.causal = causal});
    return reshape(permute(y, {0, 2, 1, 3}), {qkv.size(0), qkv.size(1), qkv.size(2) / 3});
  }
};

// A mask has rows of all keys; how many rows is left open.
Tensor checked_mask(const char* op, const Tensor& mask, std::int64_t queries, std::int64_t keys, DType dtype) {
  if (!mask.defined()) return mask;
  if (mask.dtype() != u8 && mask.dtype() != dtype)
    fail(op, ": got a mask of ", mask.dtype(), " and q of ", dtype, ", needs u8 or q's dtype");
  const int rank = mask.rank();
  const Shape last = rank < 2 ? mask.shape() : Shape{mask.size(-2), mask.size(-1)};
  if (!detail::broadcasts_to(last, {queries, keys}))
    fail(op, ": got a mask ", mask.shape(), " for ", queries, " queries and ", keys,
         " keys, needs {..., queries, keys}");
  Tensor wide = rank < 2 ? reshape(mask, {1, mask.size()}) : mask;
  if (wide.size(-1) == keys) return wide;
  Shape shape = wide.shape();
  shape[-1] = keys;
  return broadcast_to(wide, shape);
}

}  // namespace

Tensor self_attention(const Tensor& qkv, std::int64_t heads, const Tensor& mask, bool causal) {
  constexpr const char* op = SelfAttention::name;
  detail::check_floating(op, qkv);
  if (heads < 1 || qkv.rank() != 3 || qkv.size(2) == 0 || qkv.size(2) % (3 * heads) != 0)
    fail(op, ": got ", qkv.shape(), " and ", heads, " heads, needs {batch, time, 3 heads features}");
  const Tensor wide = checked_mask(op, mask, qkv.size(1), qkv.size(1), qkv.dtype());
  const SelfAttention attention{heads, causal};
  if (wide.defined() && !detail::broadcasts_to(lead_of(wide), attention.lead(qkv)))
    fail(op, ": got a mask ", mask.shape(), ", needs one that is broadcast to {batch, heads, time, time}");
  return apply(attention, qkv, wide);
}

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                                    const AttentionOptions& options) {
  constexpr const char* op = ScaledDotProductAttention::name;
  detail::check_floating(op, q);
  detail::check_same_dtype(op, q, k);
  detail::check_same_dtype(op, q, v);
  if (std::min({q.rank(), k.rank(), v.rank()}) < 2 || q.size(-1) != k.size(-1) || k.size(-2) != v.size(-2) ||
      q.size(-1) == 0)
    fail(op, ": got q ", q.shape(), ", k ", k.shape(), " and v ", v.shape(),
         ", needs {..., queries, features}, {..., keys, features} and {..., keys, values} with at least one feature");
  const Tensor wide = checked_mask(op, mask, q.size(-2), k.size(-2), q.dtype());
  (void)ScaledDotProductAttention::batch_of(q, k, v, wide);  // throws while nothing has been made
  const double scale = options.scale.value_or(usual_scale(q.size(-1)));
  return apply(ScaledDotProductAttention{scale, options.causal}, q, k, v, wide);
}

}  // namespace weft

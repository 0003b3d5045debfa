#include <weft/ops/attention.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

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

// The axes before the last two.
Shape lead_of(const Tensor& t) {
  return t.defined() ? Shape(t.shape().begin(), static_cast<std::size_t>(t.rank() - 2)) : Shape();
}

Shape joined(Shape lead, std::int64_t rows, std::int64_t columns) {
  lead.append(rows);
  lead.append(columns);
  return lead;
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
      detail::attention(problem<T>(lead, q, k, v, mask), mutable_data_of<T>(y), mutable_data_of<T>(lse));
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
      const auto to = [&](std::size_t i) {
        return gradients[i].defined() ? mutable_data_of<T>(gradients[i]) : nullptr;
      };
      detail::attention_backward(problem<T>(lead, q, k, v, mask), data_of<T>(ctx.saved(4)), data_of<T>(ctx.saved(5)),
                                 data_of<T>(g), to(0), to(1), to(2), to(3));
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
        .q = data_of<T>(q),
        .k = data_of<T>(k),
        .v = data_of<T>(v)};
    if (mask.defined()) {
      a.mask_rows = mask.size(-2);
      if (mask.dtype() == u8)
        a.allowed = data_of<std::uint8_t>(mask);
      else
        a.added = data_of<T>(mask);
    }
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

}  // namespace

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
  // A mask has rows of all keys; how many rows is left open.
  Tensor wide = mask;
  if (mask.defined()) {
    if (mask.dtype() != u8 && mask.dtype() != q.dtype())
      fail(op, ": got a mask of ", mask.dtype(), " and q of ", q.dtype(), ", needs u8 or q's dtype");
    const Shape scores{q.size(-2), k.size(-2)};
    const int rank = mask.rank();
    const Shape last = rank < 2 ? mask.shape() : Shape{mask.size(-2), mask.size(-1)};
    if (!detail::broadcasts_to(last, scores))
      fail(op, ": got a mask ", mask.shape(), " for ", scores[0], " queries and ", scores[1],
           " keys, needs {..., queries, keys}");
    if (rank < 2) wide = reshape(mask, {1, mask.size()});
    if (wide.size(-1) != scores[1]) {
      Shape shape = wide.shape();
      shape[-1] = scores[1];
      wide = broadcast_to(wide, shape);
    }
  }
  (void)ScaledDotProductAttention::batch_of(q, k, v, wide);  // throws while nothing has been made
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1))));
  return apply(ScaledDotProductAttention{scale, options.causal}, q, k, v, wide);
}

}  // namespace weft

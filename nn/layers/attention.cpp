#include <weft/nn/layers/attention.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/attention.hpp>
#include <weft/ops/dropout.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

MultiheadAttention::MultiheadAttention(std::int64_t features_of, std::int64_t heads_of, MultiheadAttentionOptions o)
    : features(features_of),
      heads(heads_of),
      options(o),
      in_proj_weight{
          this, "in_proj_weight",
          (detail::check_positive("MultiheadAttention", {features, heads}), empty({features, 3 * features}))},
      in_proj_bias{this, "in_proj_bias", o.bias ? zeros({3 * features}) : Tensor()},
      out_proj{this, "out_proj", features, features, LinearOptions{.bias = o.bias}} {
  if (features % heads != 0)
    fail("MultiheadAttention: got ", features, " features for ", heads, " heads, needs a multiple");
  xavier_(in_proj_weight);
  if (o.bias) zeros_(out_proj->bias);
}

Tensor MultiheadAttention::forward(const Tensor& x) { return forward(x, x, x); }

Tensor MultiheadAttention::forward(const Tensor& x, const Tensor& mask) { return forward(x, x, x, mask); }

Tensor MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask) {
  for (const Tensor& t : {query, key, value})
    if (t.rank() != 3 || t.size(2) != features)
      fail("MultiheadAttention: got ", t.shape(), ", needs {batch, time, ", features, "}");
  if (query.impl() == key.impl() && key.impl() == value.impl())
    return out_proj(self_attention(linear(query, in_proj_weight, in_proj_bias), heads, mask, options.causal));
  // {batch, time, features} to {batch, heads, time, features / heads}
  const auto by_head = [this](const Tensor& t) {
    return permute(reshape(t, {t.size(0), t.size(1), heads, features / heads}), {0, 2, 1, 3});
  };
  const Tensors weights = chunk(in_proj_weight, 3), x{query, key, value};
  const Tensors biases = options.bias ? chunk(in_proj_bias, 3) : Tensors(3);
  Tensors qkv;
  for (std::size_t i = 0; i < 3; ++i) qkv.push_back(by_head(linear(x[i], weights[i], biases[i])));
  const Tensor mixed = scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], mask, {.causal = options.causal});
  return out_proj(reshape(permute(mixed, {0, 2, 1, 3}), query.shape()));
}

std::int64_t MultiheadAttention::multiply_adds(const Shape& input, const Shape&) const {
  // Three maps, then scores and weighted sums; the fourth map is a layer of its own.
  return input[0] * input[1] * features * (3 * features + 2 * input[1]);
}

std::vector<int> MultiheadAttention::pytorch_axes(std::string_view parameter) const {
  return parameter == "in_proj_weight" ? std::vector{1, 0} : std::vector<int>();
}

TransformerBlock::TransformerBlock(std::int64_t features, std::int64_t heads, TransformerBlockOptions o)
    : self_attn{this, "self_attn", features, heads, MultiheadAttentionOptions{.causal = o.causal}},
      linear1{this, "linear1", features, o.hidden > 0 ? o.hidden : 4 * features},
      linear2{this, "linear2", o.hidden > 0 ? o.hidden : 4 * features, features},
      norm1{this, "norm1", features},
      norm2{this, "norm2", features},
      options(std::move(o)) {
  if (!(options.dropout >= 0 && options.dropout < 1))
    fail("TransformerBlock: got dropout ", options.dropout, ", needs 0 <= dropout < 1");
}

Tensor TransformerBlock::forward(const Tensor& x) { return forward(x, Tensor()); }

Tensor TransformerBlock::forward(const Tensor& x, const Tensor& mask) {
  const auto dropped = [this](const Tensor& branch) { return dropout(branch, options.dropout, is_training()); };
  const Tensor y = x + dropped(self_attn(norm1(x), mask));
  const Tensor inner = linear1(norm2(y));
  return y + dropped(linear2(options.activation(inner)));
}

}  // namespace weft::nn

#pragma once
// Attention over sequences {batch, time, features}, and the block that transformers are made of.
#include <weft/engine/function.hpp>
#include <weft/nn/layers/layer_norm.hpp>
#include <weft/nn/layers/linear.hpp>
#include <weft/ops/activation.hpp>

namespace weft::nn {

struct MultiheadAttentionOptions {
  bool bias = true;
  bool causal = false;  ///< step i attends to steps 0 to i only, besides what a mask says
};

/// Attention of several heads (Vaswani et al., arXiv 1706.03762): three linear maps make queries, keys and values of
/// features / heads for each head, scaled_dot_product_attention joins them, a fourth map mixes the heads. Weights are
/// named and start as in PyTorch: in_proj_weight {features, 3 features}, queries first, Xavier uniform; in_proj_bias 0;
/// out_proj as Linear, its bias 0.
class MultiheadAttention : public Module {
 public:
  using Options = MultiheadAttentionOptions;
  MultiheadAttention(std::int64_t features, std::int64_t heads, MultiheadAttentionOptions options = {});
  /// Of a sequence to itself: {batch, time, features} to the same. A mask is as in scaled_dot_product_attention, over
  /// {batch, heads, queries, keys}: what keeps padding out is u8 {batch, 1, 1, keys}.
  Tensor forward(const Tensor& x) override;
  Tensor forward(const Tensor& x, const Tensor& mask);
  /// Of queries {batch, time, features} to other sequences {batch, other time, features}.
  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask = {});
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& mask) {
    return called(x, [&] { return forward(x, mask); });
  }
  Tensor operator()(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask = {}) {
    return called(query, [&] { return forward(query, key, value, mask); });
  }
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override;

  const std::int64_t features, heads;
  const MultiheadAttentionOptions options;
  Param in_proj_weight, in_proj_bias;  ///< the bias is undefined without
  Child<Linear> out_proj;
};

struct TransformerBlockOptions {
  std::int64_t hidden = 0;                                        ///< width of the inner layer; 0: 4 features
  double dropout = 0;                                             ///< in training, of what either branch adds
  bool causal = false;                                            ///< as MultiheadAttentionOptions has it
  Function activation = [](const Tensor& x) { return gelu(x); };  ///< of the inner layer
};

/// A transformer's block with the normalisation first (Xiong et al., arXiv 2002.04745), two shortcuts:
///   y = x + self_attn(norm1(x)), y + linear2(activation(linear1(norm2(y)))).
/// Named as PyTorch's TransformerEncoderLayer.
class TransformerBlock : public Module {
 public:
  using Options = TransformerBlockOptions;
  TransformerBlock(std::int64_t features, std::int64_t heads, TransformerBlockOptions options = {});
  /// {batch, time, features} to the same; the mask as in MultiheadAttention.
  Tensor forward(const Tensor& x) override;
  Tensor forward(const Tensor& x, const Tensor& mask);
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& mask) {
    return called(x, [&] { return forward(x, mask); });
  }

  Child<MultiheadAttention> self_attn;
  Child<Linear> linear1, linear2;
  Child<LayerNorm> norm1, norm2;
  const TransformerBlockOptions options;
};

}  // namespace weft::nn

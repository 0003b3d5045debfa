#pragma once
// Attention.
#include <weft/engine/tensor.hpp>

#include <optional>

namespace weft {

struct AttentionOptions {
  bool causal = false;               ///< query i may attend to keys 0 to i only, besides what the mask says
  std::optional<double> scale = {};  ///< of the scores; by default 1 / sqrt(features)
};

/// softmax(scale q k' + mask) v over the keys: q {..., queries, features}, k {..., keys, features}, v {..., keys,
/// values} give {..., queries, values}. The mask is u8 (1: may attend) or of q's dtype (added to the scores; minus
/// infinity: may not attend), {queries, keys} or what is broadcast to it. All axes before the last two are broadcast. A
/// query that may attend to no key gives 0 and takes no gradient, as in PyTorch since 2.5. f32 and f64.
///
/// The matrix of scores is made in blocks, forward and backward, and never held whole (Dao et al., FlashAttention,
/// arXiv 2205.14135); but the gradient of a mask that requires one is as large, and so are the steps that
/// create_graph records.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {},
                                    const AttentionOptions& options = {});

/// Attention of several heads of a sequence to itself: qkv {batch, time, 3 heads features} has the queries of all
/// heads, then the keys, then the values, as one linear map makes them; the result is {batch, time, heads features}. It
/// is scaled_dot_product_attention of each head, without copies that bring the heads apart; the mask is broadcast to
/// {batch, heads, time, time}. f32 and f64.
Tensor self_attention(const Tensor& qkv, std::int64_t heads, const Tensor& mask = {}, bool causal = false);

}  // namespace weft

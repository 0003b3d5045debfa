#pragma once
// Scaled dot-product attention in blocks: softmax(scale q k' + mask) v without the matrix of scores, after Dao, Fu,
// Ermon, Rudra and Re, FlashAttention (arXiv 2205.14135). T is float or double.
#include <weft/ops/kernels/loops/strided.hpp>

#include <cstdint>

namespace weft::detail {

/// Matrices in memory: `inner_count` beside each other, `inner` apart, then the next `outer` further on; rows lie `row`
/// apart. One behind the other they are {data, rows * columns, columns}.
template <class T>
struct Matrices {
  T* data = nullptr;
  std::int64_t outer = 0, row = 0, inner = 0, inner_count = 1;

  T* at(std::int64_t i, std::int64_t r = 0) const {
    return data + i / inner_count * outer + i % inner_count * inner + r * row;
  }
};

/// One problem for each of `count` batches. Which matrix of q, k, v and the mask
/// a batch has, `batches` says.
template <class T>
struct Attention {
  std::int64_t queries = 0, keys = 0, features = 0, values = 0;
  double scale = 1;
  bool causal = false;  ///< query i sees keys 0 to i only
  std::int64_t count = 0;
  StridedLoops<4> batches{};
  Matrices<const T> q{};                  ///< queries x features
  Matrices<const T> k{};                  ///< keys x features
  Matrices<const T> v{};                  ///< keys x values
  const std::uint8_t* allowed = nullptr;  ///< which keys a query sees, or null
  const T* added = nullptr;               ///< added to the scores, or null; minus infinity as not allowed
  std::int64_t mask_rows = 0;             ///< of either mask: as many as queries, or 1 for all; keys long

  double flops() const {  ///< of the forward pass
    return 2.0 * static_cast<double>(count * queries) * static_cast<double>(keys) *
           static_cast<double>(features + values);
  }
};

/// y (count matrices, queries x values), and the logarithms of the sums of exponentials, lse (count x queries). A query
/// that sees no key has y = 0 and lse = 0.
template <class T>
void attention(const Attention<T>& a, const Matrices<T>& y, T* lse);

/// Gradients, from y and lse; each is `count` matrices, none shared, and may be null. dmask is queries x keys.
template <class T>
struct AttentionGradients {
  Matrices<T> q, k, v;
  T* mask = nullptr;
};
template <class T>
void attention_backward(const Attention<T>& a, const Matrices<const T>& y, const T* lse, const Matrices<const T>& dy,
                        const AttentionGradients<T>& g);

}  // namespace weft::detail

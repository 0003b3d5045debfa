#include <weft/nn/layers/embedding.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

Embedding::Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions o)
    : weight{this, "weight", (detail::check_positive("Embedding", {count, features}), empty({count, features}))},
      options(o) {
  normal_(weight);
  if (!options.padding_index) return;
  const std::int64_t padding = *options.padding_index;
  if (padding < 0 || padding >= count)
    fail("Embedding: got the padding index ", padding, ", needs 0 <= index < ", count);
  const NoGrad off;
  Tensor table = weight;
  const auto values = table.mutable_data<float>();
  std::fill_n(values.begin() + padding * features, features, 0.0F);
}

Tensor Embedding::forward(const Tensor& index) {
  const Tensor rows = embedding(weight, index);
  if (!options.padding_index) return rows;
  const Tensor padding = equal(unsqueeze(index, -1), static_cast<double>(*options.padding_index));
  return where(padding, rows.detach(), rows);
}

}  // namespace weft::nn

#pragma once
// A table of vectors as a module.
#include <weft/nn/module.hpp>

#include <optional>

namespace weft::nn {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_index = {};  ///< a row that starts as zeros and takes no gradient
};

/// The rows of weight {count, features} at an index (i64) of any shape: {index..., features}. The weight starts normal
/// with mean 0 and deviation 1, as in PyTorch.
class Embedding : public Module {
 public:
  using Options = EmbeddingOptions;
  Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions options = {});
  Tensor forward(const Tensor& index) override;

  Param weight;
  const EmbeddingOptions options;
};

}  // namespace weft::nn

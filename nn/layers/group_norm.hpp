#pragma once
// Group normalisation as a module.
#include <weft/nn/module.hpp>

namespace weft::nn {

struct GroupNormOptions {
  double eps = 1e-5;
};

/// Normalisation of each image or sequence {batch, ..., channels} by itself, within `groups` groups of its channels (Wu
/// and He, arXiv 1803.08494). `groups` divides the channels.
class GroupNorm : public Module {
 public:
  using Options = GroupNormOptions;
  GroupNorm(std::int64_t groups, std::int64_t channels, GroupNormOptions options = {});
  Tensor forward(const Tensor& x) override;

  Param weight, bias;
  const std::int64_t groups;
  const GroupNormOptions options;
};

}  // namespace weft::nn

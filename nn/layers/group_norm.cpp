#include <weft/nn/layers/group_norm.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/normalization.hpp>

namespace weft::nn {
namespace {

Tensor new_weight(std::int64_t groups, std::int64_t channels) {
  detail::check_positive("GroupNorm", {groups, channels});
  if (channels % groups != 0) fail("GroupNorm: got ", channels, " channels in ", groups, " groups, needs a multiple");
  return ones({channels});
}

}  // namespace

GroupNorm::GroupNorm(std::int64_t group_count, std::int64_t channels, GroupNormOptions o)
    : weight{this, "weight", new_weight(group_count, channels)},
      bias{this, "bias", zeros({channels})},
      groups(group_count),
      options(o) {}

Tensor GroupNorm::forward(const Tensor& x) {
  detail::check_input("GroupNorm", x, 0, weight.size());
  return group_norm(x, groups, weight, bias, options.eps);
}

}  // namespace weft::nn

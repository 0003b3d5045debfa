#pragma once
// A tensor's distribution, in TensorBoard's buckets.
#include <weft/engine/tensor.hpp>

namespace weft::detail {

/// Bucket i holds what is at least limits[i - 1] and less than limits[i]. Of empty buckets in a row only the last is
/// there.
struct Histogram {
  double min = 0, max = 0, count = 0, sum = 0, sum_of_squares = 0;
  std::vector<double> limits, buckets;
};

/// Throws Error naming `op` if there is no element or one is not finite.
Histogram histogram_of(const std::string& op, const Tensor& values);

}  // namespace weft::detail

#pragma once
// Data sets in memory.
#include <weft/engine/tensor.hpp>

#include <vector>

namespace weft::nn {

/// Which part of a published data set.
enum class Split { train, test };

/// Examples and what is known about them: x {n, ...} and y {n, ...}.
struct Dataset {
  Tensor x, y;
  /// Number of examples.
  std::int64_t size() const { return x.size(0); }
};

/// The first `count` examples, copied. Throws Error unless 1 <= count <= size.
Dataset head(const Dataset& data, std::int64_t count);

/// Mean and standard deviation of each channel (last axis).
struct ChannelStats {
  std::vector<double> mean, stddev;
};
/// Over all examples of x {..., channels}, f32 or f64, summed in double.
ChannelStats channel_stats(const Tensor& x);

}  // namespace weft::nn

#pragma once
// Numbers that the scripts in tests/figures draw too.
#include <cstdint>
#include <vector>

/// Multiples of 2^-11 in [-1, 1), the same as in resnet20.py.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  double next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 52) / 2048.0 - 1.0;
  }
  std::vector<double> take(std::int64_t count) {
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& v : values) v = next();
    return values;
  }

 private:
  std::uint64_t state_;
};

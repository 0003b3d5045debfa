#pragma once
// Random choices about data, each from a stream of its own.
#include <cstdint>
#include <vector>

namespace weft::detail {

/// SplitMix64 (Steele, Lea, Flood 2014): small, and a stream of its own for every (seed, part, item) is cheap, so that
/// what happens to an example depends neither on the batch size nor on where training was taken up again.
class Choices {
 public:
  Choices(std::uint64_t seed, std::uint64_t part, std::uint64_t item) {
    state_ = mixed(mixed(mixed(seed) + part) + item);
  }
  /// A number in [0, n); n is so much smaller than 2^64 that the remainder's bias does not matter.
  std::int64_t below(std::int64_t n) {
    state_ += golden;
    return static_cast<std::int64_t>(mixed(state_) % static_cast<std::uint64_t>(n));
  }

 private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15U;
  static std::uint64_t mixed(std::uint64_t z) {
    z += golden;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  std::uint64_t state_;
};

// Items of streams that belong to no example: no example has such a number.
constexpr std::uint64_t order_stream = ~std::uint64_t{0}, split_stream = ~std::uint64_t{1},
                        fold_stream = ~std::uint64_t{2};

/// Puts these numbers into an order that follows from the draws, all orders equally likely.
inline void shuffle(std::vector<std::int64_t>& numbers, Choices draws) {
  for (std::size_t i = numbers.size(); i-- > 1;)
    std::swap(numbers[i], numbers[static_cast<std::size_t>(draws.below(static_cast<std::int64_t>(i) + 1))]);
}

/// 0 to n - 1 in such an order.
inline std::vector<std::int64_t> shuffled(std::int64_t n, Choices draws) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
  shuffle(numbers, draws);
  return numbers;
}

}  // namespace weft::detail

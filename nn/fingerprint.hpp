#pragma once
// A number that stands for data, to find out whether two processes or two runs have the same.
#include <weft/engine/tensor.hpp>

#include <string_view>

namespace weft::nn {

/// `Fingerprint().add(data.x).add(data.y).value()`: the same for the same things added in the same order, and, but for
/// an accident of one in 2^64, another for others. Not safe against people who look for two alike.
class Fingerprint {
 public:
  Fingerprint& add(std::int64_t number);
  /// Its bits: 0.0 and -0.0 are two.
  Fingerprint& add(double number);
  Fingerprint& add(std::string_view text);
  /// Shape, dtype and elements.
  Fingerprint& add(const Tensor& t);

  std::uint64_t value() const { return value_; }

 private:
  void mix(std::uint64_t word);
  void mix_bytes(const void* from, std::size_t bytes);
  std::uint64_t value_ = 0;
};

}  // namespace weft::nn

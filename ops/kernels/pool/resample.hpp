#pragma once
// Images of another size, each axis for itself: the result is a sum over a few positions of the input with weights that
// hang on the row, times weights that hang on the column. Pooling over windows that differ, interpolation and their
// adjoints are all of this kind. T is float or double.
#include <cstdint>
#include <vector>

namespace weft::detail {

/// For each position along one axis of the result the positions of the input that it takes, and how much of each.
class Taps {
 public:
  struct Tap {
    std::int64_t at;
    double weight;
  };

  explicit Taps(std::int64_t input) : input_(input) {}
  /// Every position as it is.
  static Taps identity(std::int64_t size);

  /// One more of the last position; a weight of 0 is left out.
  void add(std::int64_t at, double weight) {
    if (weight != 0) taps_.push_back({at, weight});
  }
  /// The last position is complete.
  void next() { ends_.push_back(static_cast<std::int64_t>(taps_.size())); }

  std::int64_t input() const { return input_; }
  std::int64_t output() const { return static_cast<std::int64_t>(ends_.size()); }
  std::int64_t count() const { return static_cast<std::int64_t>(taps_.size()); }
  const Tap* begin(std::int64_t o) const {
    return taps_.data() + (o == 0 ? 0 : ends_[static_cast<std::size_t>(o - 1)]);
  }
  const Tap* end(std::int64_t o) const { return taps_.data() + ends_[static_cast<std::size_t>(o)]; }

  /// The adjoint: what each position of the input gives to those of the result.
  Taps transposed() const;

 private:
  std::int64_t input_;
  std::vector<Tap> taps_;
  std::vector<std::int64_t> ends_;
};

/// y {batch, rows.output(), columns.output(), channels} from x {batch, rows.input(), columns.input(), channels}.
template <class T>
void resample(const T* x, T* y, std::int64_t batch, std::int64_t channels, const Taps& rows, const Taps& columns);

}  // namespace weft::detail

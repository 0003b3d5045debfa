#pragma once
// The tests' own arrays: doubles, read by index, one loop for everything. Slow and plain, so that they can be trusted.
#include <weft/engine/tensor.hpp>

#include <functional>
#include <vector>

namespace weft::test {

using Index = std::vector<std::int64_t>;

struct Array {
  Shape shape;
  std::vector<double> values;

  /// Zeros.
  explicit Array(const Shape& s = {}) : shape(s), values(static_cast<std::size_t>(s.size())) {}
  /// The values of a tensor of any dtype.
  explicit Array(const Tensor& t);
  /// f of every index.
  Array(const Shape& s, const std::function<double(const Index&)>& f);

  std::int64_t size() const { return static_cast<std::int64_t>(values.size()); }
  /// The value at an index; longer indices and axes of size 1 are broadcast.
  double operator()(const Index& index) const { return values[offset(index)]; }
  double& operator()(const Index& index) { return values[offset(index)]; }

 private:
  std::size_t offset(const Index& index) const;
};

using Arrays = std::vector<Array>;

/// Calls f with every index of a shape, the last axis fastest.
void for_each_index(const Shape& shape, const std::function<void(const Index&)>& f);

/// The shape that all of them broadcast to.
Shape broadcast(const Arrays& arrays);

/// Which axes, as flags; none means all.
std::vector<bool> axis_flags(const Axes& axes, int rank);

/// f of the values along the given axes, for every index of the others.
Array reduced(const Array& a, const Axes& axes, bool keepdims, const std::function<double(std::vector<double>)>& f);

/// Empty if both have the same shape and each value differs by at most tolerance * max(1, |expected|) or both are nan
/// or the same infinity; else where they differ first.
std::string difference(const Array& got, const Array& expected, double tolerance);

}  // namespace weft::test

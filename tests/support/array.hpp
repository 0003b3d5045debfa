#pragma once
// The kit's arrays, which all tests compare with.
#include <weft/testing/array.hpp>

namespace weft::test {

using testing::Array, testing::Arrays, testing::Index, testing::array_of, testing::arrays_of, testing::element,
    testing::axis_flags, testing::broadcast, testing::difference, testing::for_each_index, testing::indexed,
    testing::reduced, testing::reshaped, testing::shape_of, testing::zeros_of;

/// A tensor's values as doubles, row-major.
inline std::vector<double> values_of(const Tensor& t) {
  const Array a = array_of(t);
  return {a.begin(), a.end()};
}

}  // namespace weft::test

#pragma once
// The kit's arrays, which all tests compare with.
#include <weft/testing/array.hpp>

namespace weft::test {

using testing::Array, testing::Arrays, testing::Index, testing::axis_flags, testing::broadcast, testing::difference,
    testing::for_each_index, testing::reduced;

}  // namespace weft::test

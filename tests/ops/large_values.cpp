// Values of every row of the op table on inputs beyond what its kernels do at a time and with odd sizes, beside plain
// loops, in f64, f32, i64 and u8; on one thread and on two, with the same bits.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>
#include <tests/support/sanitized.hpp>
#include <tests/support/threads.hpp>

using namespace weft;
using weft::test::Array;
using weft::test::Arrays;
using weft::test::OpRow;
using weft::test::Threads;

namespace {

Arrays arrays_of(const Tensors& tensors) {
  Arrays arrays;
  for (const Tensor& t : tensors) arrays.emplace_back(t);
  return arrays;
}

bool is_free(const test::Input& input) { return is_floating(input.dtype); }

// The same values, the free ones in another dtype.
Tensors converted(const Tensors& tensors, const test::Inputs& inputs, DType dtype) {
  Tensors made = tensors;
  for (std::size_t k = 0; k < made.size(); ++k)
    if (is_free(inputs[k])) made[k] = made[k].to(dtype);
  return made;
}

void check_values(const OpRow& row, const Tensors& inputs, const Arrays& expected, double tolerance) {
  Tensors outputs, shared;
  {
    const Threads two(2);
    shared = row.function(inputs);
  }
  {
    const Threads one(1);
    outputs = test::sanitized ? shared : row.function(inputs);
  }
  REQUIRE(outputs.size() == expected.size());
  REQUIRE(shared.size() == expected.size());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    CHECK(test::difference(Array(outputs[k]), expected[k], tolerance) == "");
    if (row.by_threads.empty())
      CHECK(test::difference_of_bits(outputs[k], shared[k]) == "");
    else
      CHECK(test::difference(Array(shared[k]), expected[k], tolerance) == "");
  }
}

}  // namespace

TEST_CASE("values of large inputs") {
  for (const OpRow& row : test::op_table()) {
    for (const test::Inputs& inputs : row.large) {
      INFO(row.title(), " of ", detail::to_text(inputs[0].shape), " ", std::string(name_of(inputs[0].dtype)));
      const Tensors tensors = test::make_inputs(inputs);
      const Arrays expected = row.reference(arrays_of(tensors));
      const bool fixed = std::none_of(inputs.begin(), inputs.end(), is_free);
      check_values(row, tensors, expected, fixed ? 0 : row.tolerance);
      if (!fixed) check_values(row, converted(tensors, inputs, f32), expected, row.f32_tolerance);
    }
  }
}

TEST_CASE("large integers") {
  for (const OpRow& row : test::op_table()) {
    if (!row.integers) continue;
    for (test::Inputs inputs : row.large) {
      if (std::none_of(inputs.begin(), inputs.end(), is_free)) continue;
      INFO(row.title(), " of ", detail::to_text(inputs[0].shape));
      for (test::Input& input : inputs)
        if (is_free(input) && !input.domain.is_whole()) input.domain = test::below(3);
      const Tensors tensors = test::make_inputs(inputs);
      const Arrays expected = row.reference(arrays_of(tensors));
      check_values(row, converted(tensors, inputs, i64), expected, 0);
      check_values(row, converted(tensors, inputs, u8), expected, 0);
    }
  }
}

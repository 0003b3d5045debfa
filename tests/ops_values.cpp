// Values of every row of the op table beside plain loops, in f64, f32, i64 and u8, with special values.
#include <doctest/doctest.h>
#include <tests/support/op_table.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>

using namespace weft;
using weft::test::Array;
using weft::test::Arrays;
using weft::test::OpRow;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Arrays arrays_of(const Tensors& tensors) {
  Arrays arrays;
  for (const Tensor& t : tensors) arrays.emplace_back(t);
  return arrays;
}

std::string shapes_of(const Tensors& tensors) {
  std::string text;
  for (const Tensor& t : tensors) text += detail::to_text(t.shape()) + " ";
  return text;
}

// Runs a row and compares; the inputs stay as they were.
void check_values(const OpRow& row, const Tensors& inputs, double tolerance) {
  INFO(row.title(), " of ", shapes_of(inputs), "in ", name_of(inputs.back().dtype()));
  const Arrays before = arrays_of(inputs);
  const Tensors outputs = row.function(inputs);
  const Arrays expected = row.reference(before);
  REQUIRE(outputs.size() == expected.size());
  for (std::size_t k = 0; k < outputs.size(); ++k)
    CHECK(test::difference(Array(outputs[k]), expected[k], tolerance) == "");
  for (std::size_t k = 0; k < inputs.size(); ++k) CHECK(test::difference(Array(inputs[k]), before[k], 0) == "");
}

}  // namespace

TEST_CASE("values") {
  for (const OpRow& row : test::op_table()) {
    for (const test::Inputs& inputs : row.cases) {
      check_values(row, test::make_inputs(inputs, f64), row.tolerance);
      check_values(row, test::make_inputs(inputs, f32), row.f32_tolerance);
    }
  }
}

TEST_CASE("integers") {
  for (const OpRow& row : test::op_table()) {
    if (!row.integers) continue;
    for (test::Inputs inputs : row.cases) {
      for (test::Input& input : inputs)
        if (is_floating(input.dtype)) input.domain = test::below(7);
      check_values(row, test::make_inputs(inputs, i64), 0);
      check_values(row, test::make_inputs(inputs, u8), 0);
    }
  }
}

TEST_CASE("special values go through elementwise ops as through scalar functions") {
  const std::vector<double> special = {not_a_number, infinity, -infinity, 0.0, -0.0, 1.0, -2.0, 0.5, 800.0, -800.0};
  const auto n = static_cast<std::int64_t>(special.size());
  for (const OpRow& row : test::op_table()) {
    if (!row.elementwise || !row.non_finite) continue;
    const Tensor across = tensor(special, {1, n}, f64), down = tensor(special, {n, 1}, f64);
    check_values(row, row.cases[0].size() == 1 ? Tensors{across} : Tensors{down, across}, 1e-11);
  }
}

TEST_CASE("a nan or an infinity in the first floating input comes out where it should") {
  for (const OpRow& row : test::op_table()) {
    if (row.elementwise || !row.non_finite) continue;
    for (const double value : {not_a_number, infinity, -infinity}) {
      Tensors inputs = test::make_inputs(row.cases[0]);
      for (Tensor& t : inputs) {
        if (t.dtype() != f64 || t.size() == 0) continue;
        const auto data = t.mutable_data<double>();
        data[data.size() / 2] = value;
        break;
      }
      INFO("with ", value);
      check_values(row, inputs, row.tolerance);
    }
  }
}

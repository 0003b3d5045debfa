#pragma once
// The op table: one row an op, which drives its checks and its benchmark. A test fails when an op declared in ops/ or
// nn/losses.hpp has no row.
#include <tests/support/array.hpp>
#include <weft/testing/op_row.hpp>

#include <string>
#include <type_traits>
#include <vector>

namespace weft::test {

// What rows are made of.
using testing::any, testing::apart, testing::below, testing::fraction, testing::mostly, testing::positive;
using testing::binary_cases, testing::binary_large, testing::unary_cases, testing::unary_large;
using testing::Domain, testing::Input, testing::Inputs, testing::OpRow, testing::large_size;
using testing::has_empty, testing::make_inputs, testing::naive, testing::one, testing::size_of, testing::square_matrix,
    testing::vectors;

/// Appends a row of an op that takes integers too.
OpRow& add_row(std::vector<OpRow>& rows, const char* name, const char* variant,
               std::function<Tensors(const Tensors&)> function, std::vector<Inputs> cases, std::vector<Inputs> large,
               std::function<Arrays(const Arrays&)> reference);

/// A shape of 1 to 4 axes (or from `least` on), of 2 to 5 each.
Shape random_shape(std::mt19937_64& bits, int least = 1);
/// One of them, counted from the front or the back.
int random_axis(std::mt19937_64& bits, int rank);

/// As many inputs of the drawn shape.
inline auto alike(const Domain& domain, int inputs = 1) {
  return [=](const Shape& shape, int) { return Inputs(static_cast<std::size_t>(inputs), Input{shape, domain}); };
}

/// Lets the last row, of an op along one axis with one result or several, be tried along others: function(inputs,
/// axis), reference(arrays, axis) and inputs(shape, axis), in which no axis is negative but the function's.
template <class F, class R, class I>
void along_any_axis(std::vector<OpRow>& rows, F function, R reference, I inputs) {
  rows.back().drawn = [=](OpRow row, std::mt19937_64& bits) {
    const Shape shape = random_shape(bits);
    const int axis = random_axis(bits, shape.rank()), counted = axis < 0 ? axis + shape.rank() : axis;
    row.variant += ", drawn: axis " + std::to_string(axis);
    if constexpr (std::is_same_v<std::invoke_result_t<F, const Tensors&, int>, Tensors>)
      row.function = [=](const Tensors& in) { return function(in, axis); };
    else
      row.function = one([=](const Tensors& in) { return function(in, axis); });
    if constexpr (std::is_same_v<std::invoke_result_t<R, const Arrays&, int>, Arrays>)
      row.reference = [=](const Arrays& in) { return reference(in, counted); };
    else
      row.reference = naive([=](const Arrays& in) { return reference(in, counted); });
    row.cases = {inputs(shape, counted)};
    return row;
  };
}
template <class F, class R>
void along_any_axis(std::vector<OpRow>& rows, F function, R reference) {
  along_any_axis(rows, function, reference, alike(any));
}

/// All rows.
const std::vector<OpRow>& op_table();

void add_elementwise_rows(std::vector<OpRow>& rows);
void add_unary_rows(std::vector<OpRow>& rows);
void add_activation_rows(std::vector<OpRow>& rows);
void add_compare_rows(std::vector<OpRow>& rows);
void add_reduce_rows(std::vector<OpRow>& rows);
void add_shape_rows(std::vector<OpRow>& rows);
void add_arrange_rows(std::vector<OpRow>& rows);
void add_sort_rows(std::vector<OpRow>& rows);
void add_network_rows(std::vector<OpRow>& rows);
void add_image_rows(std::vector<OpRow>& rows);
void add_attention_rows(std::vector<OpRow>& rows);
void add_recurrent_rows(std::vector<OpRow>& rows);
void add_loss_rows(std::vector<OpRow>& rows);
void add_product_rows(std::vector<OpRow>& rows);
void add_linalg_rows(std::vector<OpRow>& rows);
void add_decompose_rows(std::vector<OpRow>& rows);

}  // namespace weft::test

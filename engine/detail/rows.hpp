#pragma once
// Tensors that are zero but for some rows, as the gradient of a table is of which few rows were looked up.
#include <weft/engine/tensor.hpp>

namespace weft::detail {

/// Notes that outside of these rows, i64 {k}, all of t {n, ...} is zero. It holds until t is changed.
void note_rows(const Tensor& t, const Tensor& rows);

/// The rows that were noted, some perhaps twice; undefined if nothing is known.
Tensor noted_rows(const Tensor& t);

}  // namespace weft::detail

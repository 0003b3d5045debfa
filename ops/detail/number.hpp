#pragma once
// A plain number as an operand beside a tensor.
#include <weft/engine/tensor.hpp>

namespace weft::detail {

/// Throws Error unless the tensor's dtype can hold the number: beside integers only one of them.
void check_number(const char* op, const Tensor& t, double number);

}  // namespace weft::detail

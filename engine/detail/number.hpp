#pragma once
// Plain numbers as elements of a tensor, and beside one. A cast out of an integer type's range would be
// undefined.
#include <weft/engine/tensor.hpp>

#include <cmath>
#include <type_traits>

namespace weft::detail {

/// Whether T can hold the number once its fraction is dropped.
template <class T, class From>
bool in_range(From value) {
  if constexpr (std::is_same_v<T, std::uint8_t>) return value > From(-1) && value < From(256);
  // 2^63 is the first number beyond i64; the largest i64 itself is no floating-point number.
  if constexpr (std::is_same_v<T, std::int64_t> && !std::is_integral_v<From>)
    return value >= From(-0x1p63) && value < From(0x1p63);
  return true;
}

/// The number as an element, its fraction dropped in an integer type. Throws Error naming `op` if T cannot hold it.
template <class T, class From>
T to_element(const char* op, From value) {
  if (!in_range<T>(value)) fail(op, ": got ", value, ", needs a value that ", dtype_of<T>, " can hold");
  return static_cast<T>(value);
}

/// Throws Error unless the tensor's dtype can hold the number: beside integers only one of them.
inline void check_number(const char* op, const Tensor& t, double number) {
  if (is_floating(t.dtype())) return;
  const bool fits = t.dtype() == u8 ? in_range<std::uint8_t>(number) : in_range<std::int64_t>(number);
  if (!fits || number != std::trunc(number))
    fail(op, ": got ", number, " beside ", t.dtype(), " ", t.shape(), ", needs a whole number that ", t.dtype(),
         " can hold");
}

}  // namespace weft::detail

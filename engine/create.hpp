#pragma once
// Making tensors from values, constants and ranges.
#include <weft/engine/tensor.hpp>

namespace weft {

/// A tensor of these values, row-major; one value an element. Throws Error if their number does not fit the shape, or
/// if i64 or u8 cannot hold one (fractions are cut off).
Tensor tensor(std::initializer_list<double> values, const Shape& shape, DType dtype = f32);
Tensor tensor(std::span<const double> values, const Shape& shape, DType dtype = f32);

namespace detail {
Tensor integer_tensor(std::span<const std::int64_t> values, const Shape& shape, DType dtype);
}  // namespace detail

/// The same of integers, exact beyond 2^53.
template <class T>
  requires std::is_integral_v<T> Tensor tensor(std::initializer_list<T> values, const Shape& shape, DType dtype = f32) {
    const std::vector<std::int64_t> wide(values.begin(), values.end());
    return detail::integer_tensor(wide, shape, dtype);
  }

/// The same of the numbers in a vector.
template <class T>
  requires std::is_arithmetic_v<T> Tensor tensor(const std::vector<T>& values, const Shape& shape, DType dtype = f32) {
    if constexpr (std::is_integral_v<T>)
      return detail::integer_tensor(std::vector<std::int64_t>(values.begin(), values.end()), shape, dtype);
    else
      return tensor(std::span<const double>(std::vector<double>(values.begin(), values.end())), shape, dtype);
  }

/// A tensor of rank 0.
Tensor scalar(double value, DType dtype = f32);

Tensor zeros(const Shape& shape, DType dtype = f32);
Tensor ones(const Shape& shape, DType dtype = f32);
Tensor full(const Shape& shape, double value, DType dtype = f32);
/// Elements are not initialised.
Tensor empty(const Shape& shape, DType dtype = f32);

/// The same shape and dtype as t.
Tensor zeros_like(const Tensor& t);
Tensor ones_like(const Tensor& t);
Tensor full_like(const Tensor& t, double value);
Tensor empty_like(const Tensor& t);

/// start, start + step, ... up to but without stop. Throws Error for a zero or wrongly directed step.
Tensor arange(double start, double stop, double step = 1.0, DType dtype = f32);
inline Tensor arange(double start, double stop, DType dtype) { return arange(start, stop, 1.0, dtype); }
/// 0, 1, ... up to but without stop.
Tensor arange(double stop, DType dtype = f32);
/// `count` values evenly spaced from start to stop, both included.
Tensor linspace(double start, double stop, std::int64_t count, DType dtype = f32);
/// Ones on the diagonal of a {rows, columns} matrix of zeros.
Tensor eye(std::int64_t rows, std::int64_t columns, DType dtype = f32);
/// The {n, n} identity matrix.
Tensor eye(std::int64_t n, DType dtype = f32);

/// A copy of these elements, row-major, in their own dtype. Throws Error if their number does not fit the shape.
Tensor from_buffer(std::span<const float> values, const Shape& shape);
Tensor from_buffer(std::span<const double> values, const Shape& shape);
Tensor from_buffer(std::span<const std::int64_t> values, const Shape& shape);
Tensor from_buffer(std::span<const std::uint8_t> values, const Shape& shape);

/// A leaf with t's values that requires a gradient. Takes over t's storage if nobody else holds it, else copies.
Tensor parameter(Tensor t);

}  // namespace weft

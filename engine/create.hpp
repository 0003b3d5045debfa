#pragma once
// Making tensors from values, constants and ranges.
#include <weft/engine/tensor.hpp>

#include <concepts>
#include <type_traits>

namespace weft {

namespace detail {

/// A number, or a list of them in braces, nested as deep as there are axes.
class Nested {
 public:
  template <class T>
    requires std::is_arithmetic_v<T> Nested(T number)
        : is_list_(false), is_whole_(std::is_integral_v<T>) {  // NOLINT(google-explicit-constructor)
      if constexpr (std::is_integral_v<T>)
        whole_ = static_cast<std::int64_t>(number);
      else
        real_ = static_cast<double>(number);
    }
    Nested(std::initializer_list<Nested> list) : list_(list) {}  // NOLINT(google-explicit-constructor)

   private:
    friend class Flattened;
    bool is_list_ = true, is_whole_ = true;
    std::int64_t whole_ = 0;
    double real_ = 0;
    std::initializer_list<Nested> list_;  // of what the caller wrote: alive as long as the call
};

Tensor nested_tensor(std::initializer_list<Nested> values, DType dtype);
Tensor tensor_of(std::span<const double> values, Shape shape, DType dtype);
Tensor tensor_of(std::span<const std::int64_t> values, Shape shape, DType dtype);

template <class C>
using NumberIn = std::remove_cvref_t<decltype(*std::declval<const C&>().data())>;
/// Numbers in a row: a std::vector, std::array or std::span of them.
template <class C>
concept Numbers = std::is_arithmetic_v<NumberIn<C>> && !std::same_as<NumberIn<C>, char> && requires(const C& values) {
  values.size();
};

}  // namespace detail

/// A tensor of the values as they are written: `tensor({{1, 2}, {3, 4}})` has shape {2, 2}. Throws Error if rows differ
/// in length, or if i64 or u8 cannot hold a value (fractions are cut off). Integers are exact beyond 2^53.
inline Tensor tensor(std::initializer_list<detail::Nested> values) { return detail::nested_tensor(values, f32); }
template <std::same_as<DType> D>  // a template, so that {} is a shape
Tensor tensor(std::initializer_list<detail::Nested> values, D dtype) {
  return detail::nested_tensor(values, dtype);
}

/// A tensor of these values, row-major; one size may be -1, for what is left. Throws Error if their number does not fit
/// the shape, or if i64 or u8 cannot hold one.
inline Tensor tensor(std::initializer_list<double> values, const Shape& shape, DType dtype = f32) {
  return detail::tensor_of(std::span(values.begin(), values.size()), shape, dtype);
}
template <class T>
  requires std::is_integral_v<T> Tensor tensor(std::initializer_list<T> values, const Shape& shape, DType dtype = f32) {
    const std::vector<std::int64_t> wide(values.begin(), values.end());
    return detail::tensor_of(std::span<const std::int64_t>(wide), shape, dtype);
  }
/// The same of the numbers in a std::vector, std::array or std::span; one axis unless a shape is given.
template <detail::Numbers C>
Tensor tensor(const C& values, const Shape& shape = {-1}, DType dtype = f32) {
  using Wide = std::conditional_t<std::is_integral_v<detail::NumberIn<C>>, std::int64_t, double>;
  if constexpr (std::is_same_v<detail::NumberIn<C>, Wide>) {
    return detail::tensor_of(std::span<const Wide>(values.data(), values.size()), shape, dtype);
  } else {
    const std::vector<Wide> wide(values.data(), values.data() + values.size());
    return detail::tensor_of(std::span<const Wide>(wide), shape, dtype);
  }
}
template <detail::Numbers C, std::same_as<DType> D>
Tensor tensor(const C& values, D dtype) {
  return tensor(values, {-1}, dtype);
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
template <std::integral T>
Tensor arange(T stop, DType dtype = f32) {
  return arange(static_cast<double>(stop), dtype);
}
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

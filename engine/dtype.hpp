#pragma once
// The four element types.
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace weft {

/// Element type of a tensor. i64 holds indices and labels, u8 masks and bytes; only f32 and f64 carry gradients.
enum class DType : std::uint8_t { f32, f64, i64, u8 };

inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;
inline constexpr DType i64 = DType::i64;
inline constexpr DType u8 = DType::u8;

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return 4;
    case DType::u8: return 1;
    default: return 8;
  }
}

constexpr bool is_floating(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::f64: return "f64";
    case DType::i64: return "i64";
    default: return "u8";
  }
}

/// Writes its name.
std::ostream& operator<<(std::ostream& out, DType dtype);

namespace detail {

template <class T>
struct DTypeOf {
  static_assert(sizeof(T) == 0, "elements of a tensor are float, double, std::int64_t or std::uint8_t");
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};

/// Calls f(T{}) with the C++ type of a floating dtype; the caller has made sure that it is one.
template <class F>
decltype(auto) visit_floating(DType dtype, F&& f) {
  return dtype == DType::f64 ? f(double{}) : f(float{});
}

/// Calls f(T{}) with the C++ type of any dtype.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
    case DType::i64: return f(std::int64_t{});
    default: return f(std::uint8_t{});
  }
}

}  // namespace detail

/// The dtype whose elements are T (float, double, std::int64_t or std::uint8_t).
template <class T>
inline constexpr DType dtype_of = detail::DTypeOf<T>::value;

}  // namespace weft

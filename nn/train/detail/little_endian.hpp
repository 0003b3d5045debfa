#pragma once
// Whole numbers as bytes, the lowest first, on any machine.
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace weft::detail {

template <std::unsigned_integral T>
void put_little_endian(std::string& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> 8 * i & 0xffU);
}

/// Of sizeof(T) bytes.
template <std::unsigned_integral T>
T little_endian(std::string_view bytes) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = static_cast<T>(value << 8U | static_cast<unsigned char>(bytes[i]));
  return value;
}

}  // namespace weft::detail

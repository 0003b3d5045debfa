#pragma once
// Pictures as PNG files.
#include <cstdint>
#include <span>
#include <string>

namespace weft::detail {

/// A PNG file of height x width pixels of 1 (grey), 3 (RGB) or 4 (RGBA) bytes each, row by row.
std::string png_of(std::span<const std::uint8_t> pixels, std::uint32_t height, std::uint32_t width, int channels);

}  // namespace weft::detail

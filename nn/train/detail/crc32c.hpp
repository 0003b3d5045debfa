#pragma once
// The checksum of event files' records.
#include <cstdint>
#include <string_view>

namespace weft::detail {

/// CRC-32C (Castagnoli), as RFC 3720 has it.
std::uint32_t crc32c(std::string_view bytes);

/// The same turned and moved, as records have it: a checksum of bytes that hold their own checksum says little.
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace weft::detail

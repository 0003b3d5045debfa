#pragma once
// Records of event files as the format's description has them, made and taken apart by other code than the library's.
#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include <weft/nn/train/detail/little_endian.hpp>

// Bit by bit, without a table.
inline std::uint32_t plain_crc32c(const std::string& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc % 2 == 1 ? crc / 2 ^ 0x82f63b78 : crc / 2;
  }
  return crc ^ 0xffffffff;
}

inline std::string checksum_of(const std::string& bytes) {
  const std::uint32_t c = plain_crc32c(bytes);
  std::string text;
  weft::detail::put_little_endian(text, ((c >> 15) | (c << 17)) + 0xa282ead8U);
  return text;
}

inline std::string record(const std::string& data) {
  std::string length;
  weft::detail::put_little_endian(length, std::uint64_t{data.size()});
  return length + checksum_of(length) + data + checksum_of(data);
}

// What the records of a file hold, by their lengths alone.
inline std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  for (std::size_t at = 0; at < file.size(); at += records.back().size() + 16) {
    REQUIRE(at + 16 <= file.size());
    records.push_back(file.substr(at + 12, weft::detail::little_endian<std::uint64_t>(file.substr(at, 8))));
  }
  return records;
}

inline std::string bytes_of(std::initializer_list<int> values) {
  std::string text;
  for (const int v : values) text += static_cast<char>(v);
  return text;
}

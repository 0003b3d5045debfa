#pragma once
// A text as numbers: each byte that occurs in it is a symbol.
#include <weft/engine/random.hpp>
#include <weft/nn/data/dataset.hpp>

#include <string>

struct Text {
  std::string symbols;       ///< the bytes that occur, in order
  weft::Tensor train, test;  ///< i64, the first nine tenths and the rest

  /// Reads the file. Throws Error if it cannot, or if the test part is shorter than `least` bytes.
  Text(const std::string& path, std::int64_t least);
  std::int64_t size() const { return static_cast<std::int64_t>(symbols.size()); }

  /// `count` windows of the training part, x and y {count, length}: y is x moved on by one byte.
  weft::nn::Dataset draw(std::int64_t count, std::int64_t length, weft::Generator& generator) const;
  /// The test part in such windows, one after another; what fills none is left out.
  weft::nn::Dataset test_windows(std::int64_t length) const;
  /// Bits for each byte of the test part, of one who knows how frequent the bytes of the training part are (each
  /// counted once more than it occurs) and nothing else.
  double bits_by_frequency() const;
  /// For printing: bytes beyond ASCII are question marks.
  std::string shown(const weft::Tensor& ids) const;
};

#pragma once
// Figures that PyTorch made: what the scripts in tests/figures write.
#include <doctest/doctest.h>
#include <weft/engine/create.hpp>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace weft::test {

/// What is in a file of tests/figures.
inline nlohmann::json figures_in(const std::string& name) {
  std::ifstream file(WEFT_SOURCE_DIR "/tests/figures/" + name);
  REQUIRE(file.good());
  return nlohmann::json::parse(file);
}

/// {"shape": [...], "values": [...]} as a tensor.
inline Tensor tensor_of(const nlohmann::json& from, DType dtype = f64) {
  const auto values = from.at("values").get<std::vector<double>>();
  return tensor(std::span<const double>(values), Shape(from.at("shape").get<std::vector<std::int64_t>>()), dtype);
}

}  // namespace weft::test

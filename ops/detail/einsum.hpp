#pragma once
// What an einsum equation says, and in which order its operands are best multiplied.
#include <weft/engine/tensor.hpp>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::detail {

/// Names of axes: letters; of those that "..." stands for, -1 is the last, -2 the one before it, and so on.
using Labels = std::vector<int>;

inline bool contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

struct EinsumEquation {
  std::vector<Labels> inputs;
  Labels output;
  std::map<int, std::int64_t> sizes;  // of every label, broadcast

  /// Throws Error unless the equation is one, and fits the operands.
  EinsumEquation(std::string_view text, const Tensors& operands);
};

/// Pairs of operands in the order in which to multiply them; the first of each then stands for the product.
std::vector<std::pair<std::size_t, std::size_t>> contraction_order(const std::vector<Labels>& operands,
                                                                   const Labels& output,
                                                                   const std::map<int, std::int64_t>& sizes);

}  // namespace weft::detail

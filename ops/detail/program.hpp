#pragma once
// What fused() writes down.
#include <weft/ops/fused.hpp>

#include <array>
#include <vector>

namespace weft::detail {

/// One operation on earlier steps of the same program.
struct Step {
  Function function = Function::constant;
  std::array<int, 3> operands = {-1, -1, -1};
  double number = 0;  // a constant's value, an input's position, pow_scalar's exponent

  bool operator==(const Step&) const = default;
};

/// Straight-line code: each step makes one value, the results are some of them.
struct Program {
  std::vector<Step> steps;
  std::vector<int> results;
  std::vector<std::size_t> slot;  // of each step, the block-sized register that holds its value
  int registers = 0;

  /// The position of this step, an earlier equal one's if there is one.
  int add(const Step& step);
};

}  // namespace weft::detail

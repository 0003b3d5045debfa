#pragma once
// What fused() writes down.
#include <weft/ops/fused.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace weft::detail {

/// One operation on earlier steps of the same program.
struct Step {
  Function function = Function::constant;
  std::array<int, 3> operands = {-1, -1, -1};
  double number = 0;  // a constant's value, an input's position, pow_scalar's exponent

  /// Numbers by their bits: 0 and -0 are two constants, and a nan is itself.
  bool operator==(const Step& other) const {
    return function == other.function && operands == other.operands &&
           std::bit_cast<std::uint64_t>(number) == std::bit_cast<std::uint64_t>(other.number);
  }
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

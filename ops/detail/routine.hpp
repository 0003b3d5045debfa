#pragma once
// Programs of fused() made ready to run over memory, in blocks that stay in the first cache.
#include <weft/engine/tensor.hpp>
#include <weft/ops/detail/arithmetic_chain.hpp>

#include <cstdint>
#include <vector>

namespace weft::detail {

/// A program's steps with the places where their values are kept: first those of the inputs, then those of the
/// constants, then registers of a block each, used again once their value has been read for the last time.
class Routine {
 public:
  static constexpr std::size_t most_operands = longest_chain + 1;
  static_assert(most_operands >= max_operands);

  Routine(const Program& program, int inputs);

  /// One step, or several that are a chain.
  struct Instruction {
    std::shared_ptr<const StepFormula> formula;  // null: a chain
    ChainKernel<float> float_chain = nullptr;
    ChainKernel<double> double_chain = nullptr;
    std::array<std::uint32_t, most_operands> operands = {};  // places
    std::uint32_t operand_count = 0, out = 0;
    std::vector<std::uint32_t> results;  // which of the program's results the value is
  };
  struct Given {
    std::uint32_t place, result;
  };

  /// The results over inputs that are broadcast to `shape`, each in its place in `wanted` summed to that shape where
  /// this takes no pass of its own, else of `shape`: either is a gradient to the tape. Sums are the same bits on any
  /// number of threads. A result that is an input of the whole shape is that tensor.
  Tensors run(const Tensors& inputs, DType dtype, const Shape& shape, const std::vector<Shape>& wanted) const;

  const std::vector<Instruction>& instructions() const { return instructions_; }
  const std::vector<double>& constants() const { return constants_; }
  const std::vector<Given>& given() const { return given_; }  // results that no instruction makes
  std::size_t result_count() const { return result_count_; }
  std::uint32_t register_count() const { return register_count_; }

 private:
  std::vector<Instruction> instructions_;
  std::vector<double> constants_;
  std::vector<Given> given_;
  std::size_t result_count_;
  std::uint32_t register_count_ = 0;
};

}  // namespace weft::detail

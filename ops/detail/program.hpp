#pragma once
// What fused() writes down: straight-line code whose steps apply formulas.
#include <weft/engine/tensor.hpp>
#include <weft/ops/expr.hpp>

#include <array>
#include <memory>
#include <span>
#include <vector>

namespace weft::detail {

inline constexpr std::int64_t program_block = 256;  // elements of a program's register
inline constexpr int max_operands = 3;

/// A formula (see elementwise.hpp) of whatever type, as a step applies it.
class StepFormula {
 public:
  virtual ~StepFormula() = default;
  /// out = value(in...) over one block. What is true is 1, what is false 0.
  virtual void run(const float* const* in, float* out) const = 0;
  virtual void run(const double* const* in, double* out) const = 0;
  /// The same on whole tensors, as a recorded op; true and false in the dtype of the others.
  virtual Tensor run(std::span<const Tensor> in, DType dtype) const = 0;
  /// Whether operand k has a gradient, and the steps that compute it from the output's.
  virtual bool has_gradient(int k) const = 0;
  virtual Expr gradient(int k, const Expr& g, std::span<const Expr> in, const Expr& out) const = 0;
  /// Whether the other computes the same.
  virtual bool equals(const StepFormula& other) const = 0;
};

struct Step {
  std::shared_ptr<const StepFormula> formula = {};      // null: an input or a constant
  std::array<std::size_t, max_operands> operands = {};  // earlier steps
  int operand_count = 0;
  int input = -1;  // which input of the program it is; -1: none
  double constant = 0;

  bool is_constant() const { return !formula && input < 0; }
  /// Constants by their bits: 0 and -0 are two, and a nan is itself.
  bool operator==(const Step& other) const;
};

/// Each step makes one value; the results are some of them.
class Program {
 public:
  Expr input(int i) { return {*this, add({.input = i})}; }
  Expr apply(std::shared_ptr<const StepFormula> formula, std::span<const Expr> operands);
  /// Makes the value one of this program's, if it is still a number.
  std::size_t place_of(const Expr& value);
  /// Of the first `count` inputs those that the value depends on, as bits.
  unsigned inputs_behind(const Expr& value, int count) const;

  const std::vector<Step>& steps() const { return steps_; }
  std::vector<std::size_t> results;

 private:
  /// The position of this step, an earlier equal one's if there is one.
  std::size_t add(const Step& step);
  std::vector<Step> steps_;
};

/// The program that one of the values belongs to. Throws Error if there is none: of numbers alone a number is made by
/// plain C++ arithmetic.
Program& program_of(std::span<const Expr> values);

/// The constant 0 in the value's program.
Expr zeros_like(const Expr& value);

/// u8: 1 where a number is not 0.
Tensor as_mask(const Tensor& numbers);

}  // namespace weft::detail

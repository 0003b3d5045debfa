#pragma once
// What fused() writes down: straight-line code whose steps apply formulas.
#include <weft/ops/expr.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace weft::detail {

inline constexpr int max_operands = 3;
/// Elements of a cache line, the piece that steps work on: storage ends with a whole one.
template <class T>
inline constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));

/// Where a step reads: element i at from[i & goes_on].
template <class T>
struct StepOperand {
  const T* from;
  std::int64_t goes_on;  // -1; or 0: one line of copies serves all
};

/// A formula (see elementwise.hpp) of whatever type, as a step applies it.
class StepFormula {
 public:
  virtual ~StepFormula() = default;
  /// out = value(in...) for n elements, whole lines. What is true is 1, what is false 0. An operand may be the output.
  virtual void run(const StepOperand<float>* in, float* out, std::int64_t n) const = 0;
  virtual void run(const StepOperand<double>* in, double* out, std::int64_t n) const = 0;
  /// What computing a value takes, in additions.
  virtual double cost() const = 0;
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

  std::size_t operand(int k) const { return operands[static_cast<std::size_t>(k)]; }
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
  /// Writes these steps down in another program, and says where each value is there. leaf(s): which of its inputs is
  /// step s, or -1; inputs are one.
  template <class F>
  std::vector<Expr> written_into(Program& other, F&& leaf) const {
    std::vector<Expr> values;
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      const Step& step = steps_[s];
      const int input = step.is_constant() ? -1 : leaf(s);
      if (step.is_constant()) {
        values.emplace_back(other, other.place_of(step.constant));
      } else if (input >= 0) {
        values.push_back(other.input(input));
      } else {
        std::vector<Expr> operands;
        for (int k = 0; k < step.operand_count; ++k) operands.push_back(values[step.operand(k)]);
        values.push_back(other.apply(step.formula, operands));
      }
    }
    return values;
  }
  /// Of the first `count` inputs those that the value depends on, as bits.
  unsigned inputs_behind(const Expr& value, int count) const;

  /// Which steps the results depend on.
  std::vector<bool> needed() const;
  /// Those alone. Its inputs are numbered anew: `inputs` becomes what they were.
  Program pruned(std::vector<int>& inputs) const;

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

}  // namespace weft::detail

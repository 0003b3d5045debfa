#include <weft/ops/detail/program.hpp>

#include <algorithm>
#include <bit>

#include <weft/engine/error.hpp>

namespace weft::detail {

bool Step::operator==(const Step& other) const {
  if ((formula != nullptr) != (other.formula != nullptr) || input != other.input || operands != other.operands ||
      std::bit_cast<std::uint64_t>(constant) != std::bit_cast<std::uint64_t>(other.constant))
    return false;
  return !formula || formula->equals(*other.formula);
}

std::size_t Program::add(const Step& step) {
  // What was computed before is not computed again.
  const auto at = std::find(steps_.begin(), steps_.end(), step);
  if (at == steps_.end()) {
    steps_.push_back(step);
    return steps_.size() - 1;
  }
  return static_cast<std::size_t>(at - steps_.begin());
}

std::size_t Program::place_of(const Expr& value) {
  if (value.program() == nullptr) return add({.constant = value.number()});
  if (value.program() != this) fail("fused: got values of two functions");
  return value.at();
}

Expr Program::apply(std::shared_ptr<const StepFormula> formula, std::span<const Expr> operands) {
  Step step{.formula = std::move(formula), .operand_count = static_cast<int>(operands.size())};
  bool known = true;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    step.operands[k] = place_of(operands[k]);
    known &= steps_[step.operands[k]].is_constant();
  }
  if (!known) return {*this, add(step)};
  double numbers[max_operands + 1][line<double>];
  StepOperand<double> in[max_operands];
  for (std::size_t k = 0; k < operands.size(); ++k) {
    std::fill_n(numbers[k], line<double>, steps_[step.operands[k]].constant);
    in[k] = {numbers[k], 0};
  }
  step.formula->run(in, numbers[max_operands], line<double>);
  return {*this, place_of(numbers[max_operands][0])};
}

std::vector<bool> Program::needed() const {
  std::vector<bool> needed(steps_.size());
  for (const std::size_t r : results) needed[r] = true;
  for (std::size_t s = steps_.size(); s-- > 0;)
    for (int k = 0; needed[s] && k < steps_[s].operand_count; ++k) needed[steps_[s].operand(k)] = true;
  return needed;
}

Program Program::pruned(std::vector<int>& inputs) const {
  const std::vector<bool> needed = this->needed();
  inputs.clear();
  std::vector<std::size_t> place(steps_.size());
  Program kept;
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    if (!needed[s]) continue;
    Step step = steps_[s];
    for (std::size_t k = 0; k < static_cast<std::size_t>(step.operand_count); ++k)
      step.operands[k] = place[step.operands[k]];
    if (step.input >= 0) {
      inputs.push_back(step.input);
      step.input = static_cast<int>(inputs.size()) - 1;
    }
    place[s] = kept.add(step);
  }
  for (const std::size_t r : results) kept.results.push_back(place[r]);
  return kept;
}

unsigned Program::inputs_behind(const Expr& value, int count) const {
  if (value.program() == nullptr) return 0;
  std::vector<bool> needed(steps_.size());
  needed[value.at()] = true;
  unsigned inputs = 0;
  for (std::size_t s = value.at() + 1; s-- > 0;) {
    if (!needed[s]) continue;
    const Step& step = steps_[s];
    if (step.input >= 0 && step.input < count) inputs |= 1U << static_cast<unsigned>(step.input);
    for (int k = 0; k < step.operand_count; ++k) needed[step.operands[static_cast<std::size_t>(k)]] = true;
  }
  return inputs;
}

Program& program_of(std::span<const Expr> values) {
  const auto at = std::find_if(values.begin(), values.end(), [](const Expr& v) { return v.program() != nullptr; });
  if (at == values.end()) fail("fused: got an operation on numbers alone, needs plain C++ arithmetic for it");
  return *at->program();
}

Expr zeros_like(const Expr& value) {
  Program& program = program_of(std::array{value});
  return {program, program.place_of(0.0)};
}

}  // namespace weft::detail

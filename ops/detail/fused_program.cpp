#include <weft/ops/detail/fused_program.hpp>

#include <algorithm>

#include <weft/ops/arithmetic.hpp>

namespace weft::detail {
namespace {

// Steps of a program that are worth as much as writing a value to memory and reading it again.
constexpr double cost_of_keeping = 12;

// Makes the gradients of the wanted inputs the results of `in`, where the program's values are `values`. `adjoint` has
// for each step what it is given from outside. The formulas' own derivatives are run on Expr.
void differentiate(const Program& value, Program& in, const std::vector<Expr>& values,
                   std::vector<std::vector<Expr>> adjoint, const std::vector<bool>& wanted) {
  const std::vector<Step>& steps = value.steps();
  std::vector<bool> leads_to_wanted(steps.size());
  for (std::size_t s = 0; s < steps.size(); ++s) {
    leads_to_wanted[s] = steps[s].input >= 0 && wanted[static_cast<std::size_t>(steps[s].input)];
    for (int k = 0; k < steps[s].operand_count; ++k)
      if (leads_to_wanted[steps[s].operand(k)]) leads_to_wanted[s] = true;
  }
  std::vector<Expr> found(wanted.size(), Expr(0.0));
  for (std::size_t s = steps.size(); s-- > 0;) {
    const Step& step = steps[s];
    if (!leads_to_wanted[s] || adjoint[s].empty()) continue;
    Expr whole = adjoint[s][0];
    for (std::size_t i = 1; i < adjoint[s].size(); ++i) whole = whole + adjoint[s][i];
    if (step.input >= 0) found[static_cast<std::size_t>(step.input)] = whole;
    std::vector<Expr> operands;
    for (int k = 0; k < step.operand_count; ++k) operands.push_back(values[step.operand(k)]);
    for (int k = 0; k < step.operand_count; ++k)
      if (leads_to_wanted[step.operand(k)] && step.formula->has_gradient(k))
        adjoint[step.operand(k)].push_back(step.formula->gradient(k, whole, operands, values[s]));
  }
  for (std::size_t k = 0; k < wanted.size(); ++k)
    if (wanted[k]) in.results.push_back(in.place_of(found[k]));
}

// Which steps' values the gradients read, besides those of the outputs.
std::vector<bool> read_by_gradients(const Program& value, const std::vector<bool>& needs) {
  const std::size_t count = value.steps().size();
  Program program;
  const auto all = value.written_into(program, [](std::size_t s) { return static_cast<int>(s); });
  std::vector<std::vector<Expr>> seeds(count);
  int next = static_cast<int>(count);
  for (const std::size_t r : value.results) seeds[r].push_back(program.input(next++));
  differentiate(value, program, all, std::move(seeds), needs);
  std::vector<int> inputs;
  program.pruned(inputs);
  std::vector<bool> read(count);
  for (const int s : inputs)
    if (static_cast<std::size_t>(s) < count) read[static_cast<std::size_t>(s)] = true;
  return read;
}

// What is kept of the values that gradients read.
class Keeping {
 public:
  Keeping(const Program& value, const std::vector<bool>& read, const std::vector<bool>& large)
      : value_(value), read_(read), large_(large) {}

  /// The steps that are kept, apart from inputs and results.
  std::vector<std::size_t> values() {
    const std::vector<std::size_t> dear = dear_values();
    std::vector<std::size_t> all;
    for (std::size_t s = 0; s < read_.size(); ++s)
      if (read_[s] && value_.steps()[s].formula && !is_result(s) && is_large(s)) all.push_back(s);
    return memory(dear) <= memory(all) ? dear : all;
  }
  /// The inputs that the gradients read when these are kept.
  std::vector<bool> inputs(const std::vector<std::size_t>& kept) const {
    const std::vector<Step>& steps = value_.steps();
    std::vector<bool> needed = read_, inputs(large_.size());
    for (std::size_t s = steps.size(); s-- > 0;) {
      if (!needed[s]) continue;
      if (steps[s].input >= 0) inputs[static_cast<std::size_t>(steps[s].input)] = true;
      if (is_result(s) || std::find(kept.begin(), kept.end(), s) != kept.end()) continue;
      for (int k = 0; k < steps[s].operand_count; ++k) needed[steps[s].operand(k)] = true;
    }
    return inputs;
  }

 private:
  bool is_result(std::size_t s) const {
    return std::find(value_.results.begin(), value_.results.end(), s) != value_.results.end();
  }
  // Whether it depends on a large input; else the plain ops would keep little of it.
  bool is_large(std::size_t s) const {
    const Step& step = value_.steps()[s];
    if (step.input >= 0) return large_[static_cast<std::size_t>(step.input)];
    for (int k = 0; k < step.operand_count; ++k)
      if (is_large_[step.operand(k)]) return true;
    return false;
  }
  // Those that cost more to compute again, from the inputs and each other, than to keep.
  std::vector<std::size_t> dear_values() {
    const std::vector<Step>& steps = value_.steps();
    std::vector<double> cost(steps.size());
    std::vector<std::size_t> kept;
    is_large_.assign(steps.size(), false);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      is_large_[s] = is_large(s);
      if (!steps[s].formula) continue;
      cost[s] = steps[s].formula->cost();
      for (int k = 0; k < steps[s].operand_count; ++k) cost[s] += cost[steps[s].operand(k)];
      if (!read_[s]) continue;
      if (is_result(s)) {
        cost[s] = 0;
      } else if (is_large_[s] && cost[s] > cost_of_keeping) {
        cost[s] = 0;
        kept.push_back(s);
      }
    }
    return kept;
  }
  std::size_t memory(const std::vector<std::size_t>& kept) const {
    const std::vector<bool> from = inputs(kept);
    std::size_t count = kept.size();
    for (std::size_t k = 0; k < from.size(); ++k) count += from[k] && large_[k] ? 1 : 0;
    return count;
  }

  const Program& value_;
  const std::vector<bool>&read_, &large_;
  std::vector<bool> is_large_;
};

}  // namespace

FusedPlan::FusedPlan(const Program& value, int inputs, const std::vector<bool>& needs, const std::vector<bool>& large)
    : value_(value), inputs_(inputs), outputs_(value.results), routine_(value, inputs) {
  const std::vector<bool> read = read_by_gradients(value, needs);
  Keeping keeping(value, read, large);
  const std::vector<std::size_t> kept = keeping.values();
  const std::vector<bool> saved_inputs = keeping.inputs(kept);
  for (int k = 0; k < inputs; ++k)
    if (saved_inputs[static_cast<std::size_t>(k)]) saved_.push_back(k);
  outputs_.insert(outputs_.end(), kept.begin(), kept.end());
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    const bool first =
        std::find(outputs_.begin(), outputs_.end(), outputs_[j]) - outputs_.begin() == static_cast<std::ptrdiff_t>(j);
    if (first && read[outputs_[j]] && value.steps()[outputs_[j]].formula)
      saved_.push_back(inputs + static_cast<int>(j));
  }
  Program with_outputs = value;
  with_outputs.results = outputs_;
  routine_ = Routine(with_outputs, inputs);
}

const FusedGradient& FusedPlan::gradient(const std::vector<bool>& wanted, const std::vector<bool>& given) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : gradients_)
    if (entry->wanted == wanted && entry->given == given) return entry->gradient;
  gradients_.push_back(std::make_unique<const Entry>(Entry{wanted, given, make_gradient(wanted, given)}));
  return gradients_.back()->gradient;
}

FusedGradient FusedPlan::make_gradient(const std::vector<bool>& wanted, const std::vector<bool>& given) const {
  const auto known = [&](std::size_t s) {
    if (value_.steps()[s].input >= 0) return value_.steps()[s].input;
    for (std::size_t j = 0; j < outputs_.size(); ++j) {
      const int number = inputs_ + static_cast<int>(j);
      if (outputs_[j] == s && std::find(saved_.begin(), saved_.end(), number) != saved_.end()) return number;
    }
    return -1;
  };
  Program program;
  const std::vector<Expr> values = value_.written_into(program, known);
  std::vector<std::vector<Expr>> seeds(value_.steps().size());
  for (std::size_t j = 0; j < outputs_.size(); ++j)
    if (given[j]) seeds[outputs_[j]].push_back(program.input(inputs_ + static_cast<int>(outputs_.size() + j)));
  differentiate(value_, program, values, std::move(seeds), wanted);
  FusedGradient gradient;
  Program pruned = program.pruned(gradient.inputs);
  const auto count = static_cast<int>(gradient.inputs.size());
  gradient.program = std::make_shared<const FusedProgram>(std::move(pruned), count);
  return gradient;
}

const FusedPlan& FusedProgram::plan(const std::vector<bool>& needs, const std::vector<bool>& large) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : plans_)
    if (entry->needs == needs && entry->large == large) return entry->plan;
  plans_.push_back(std::unique_ptr<const Entry>(new Entry{needs, large, {value_, inputs_, needs, large}}));
  return plans_.back()->plan;
}

}  // namespace weft::detail

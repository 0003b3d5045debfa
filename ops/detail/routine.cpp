#include <weft/ops/detail/routine.hpp>

#include <algorithm>

namespace weft::detail {
namespace {

// Which steps go together: a sum, difference or product goes on from an operand that is one, too, and that nothing else
// reads.
class Chains {
 public:
  Chains(const Program& program, const std::vector<bool>& needed)
      : links_(program.steps().size()), operands_(links_.size()), ends_elsewhere_(links_.size()) {
    const std::vector<Step>& steps = program.steps();
    std::vector<int> readers(steps.size());
    for (const std::size_t r : program.results) readers[r] += 2;  // written, so it is a value of its own
    for (std::size_t s = 0; s < steps.size(); ++s)
      for (int k = 0; needed[s] && k < steps[s].operand_count; ++k) ++readers[steps[s].operand(k)];
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const Step& step = steps[s];
      if (!needed[s] || !step.formula) continue;
      if (!link_of(step, 0)) {
        for (int k = 0; k < step.operand_count; ++k) operands_[s].push_back(step.operand(k));
        continue;
      }
      // The longer of the two operands that are chains.
      int from = -1;
      for (int k = 0; k < 2; ++k) {
        const std::size_t length = links_[step.operand(k)].size();
        if (length == 0 || length == longest_chain || readers[step.operand(k)] > 1) continue;
        if (from < 0 || length > links_[step.operand(from)].size()) from = k;
      }
      if (from >= 0) {
        const std::size_t operand = step.operand(from);
        ends_elsewhere_[operand] = true;
        links_[s] = links_[operand];
        operands_[s] = operands_[operand];
      } else {
        from = 0;
        operands_[s] = {step.operand(0)};
      }
      links_[s].push_back(*link_of(step, from));
      operands_[s].push_back(step.operand(1 - from));
    }
  }

  /// Whether the step ends a chain or is in none.
  bool stands_alone(std::size_t s) const { return !ends_elsewhere_[s]; }
  /// Of the chain that ends in s; none: the step is computed by its formula.
  const std::vector<Link>& links(std::size_t s) const { return links_[s]; }
  const std::vector<std::size_t>& operands(std::size_t s) const { return operands_[s]; }

 private:
  std::vector<std::vector<Link>> links_;
  std::vector<std::vector<std::size_t>> operands_;
  std::vector<bool> ends_elsewhere_;
};

}  // namespace

Routine::Routine(const Program& program, int inputs) : result_count_(program.results.size()) {
  const std::vector<Step>& steps = program.steps();
  std::vector<std::vector<std::uint32_t>> results(steps.size());
  for (std::size_t r = 0; r < result_count_; ++r) results[program.results[r]].push_back(static_cast<std::uint32_t>(r));
  const std::vector<bool> needed = program.needed();
  const Chains chains(program, needed);
  std::vector<std::size_t> last(steps.size(), 0);  // who reads a value last
  for (std::size_t s = 0; s < steps.size(); ++s) {
    if (!needed[s]) continue;
    if (steps[s].is_constant()) constants_.push_back(steps[s].constant);
    if (chains.stands_alone(s))
      for (const std::size_t operand : chains.operands(s)) last[operand] = s;
  }
  auto constant = static_cast<std::uint32_t>(inputs);
  const auto before = static_cast<std::uint32_t>(constant + constants_.size());
  std::vector<std::uint32_t> place(steps.size()), free;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const Step& step = steps[s];
    if (!needed[s]) continue;
    if (!step.formula) {
      place[s] = step.is_constant() ? constant++ : static_cast<std::uint32_t>(step.input);
      for (const std::uint32_t r : results[s]) given_.push_back({place[s], r});
      continue;
    }
    if (!chains.stands_alone(s)) continue;
    Instruction instruction;
    if (const std::vector<Link>& links = chains.links(s); links.empty()) {
      instruction.formula = step.formula;
    } else {
      instruction.float_chain = chain_kernel<float>(links);
      instruction.double_chain = chain_kernel<double>(links);
    }
    instruction.results = results[s];
    for (const std::size_t operand : chains.operands(s)) {
      instruction.operands[instruction.operand_count++] = place[operand];
      if (steps[operand].formula && last[operand] == s && std::count(free.begin(), free.end(), place[operand]) == 0)
        free.push_back(place[operand]);  // the output may take its place
    }
    if (free.empty()) {
      place[s] = before + register_count_++;
    } else {
      place[s] = free.back();
      free.pop_back();
    }
    if (last[s] == 0) free.push_back(place[s]);  // a result that no step reads
    instruction.out = place[s];
    instructions_.push_back(std::move(instruction));
  }
}

}  // namespace weft::detail

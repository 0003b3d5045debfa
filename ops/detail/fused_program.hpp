#pragma once
// A program of fused() with those of its gradients, each made when it is first asked for.
#include <weft/ops/detail/routine.hpp>

#include <memory>
#include <mutex>

namespace weft::detail {

class FusedProgram;

/// The gradients of some inputs as a program, whose inputs are `inputs`: of the function's inputs, outputs and output
/// gradients, numbered one after the other.
struct FusedGradient {
  std::shared_ptr<const FusedProgram> program;
  std::vector<int> inputs;
};

/// How a function is run where some of its inputs require a gradient: it has outputs besides its results, values that
/// the gradients read and that would take longer to compute again.
class FusedPlan {
 public:
  FusedPlan(const Program& value, int inputs, const std::vector<bool>& needs, const std::vector<bool>& large);

  const Routine& routine() const { return routine_; }
  std::size_t output_count() const { return outputs_.size(); }
  const std::vector<int>& saved() const { return saved_; }  // numbered as in FusedGradient
  /// The gradients of the wanted inputs, by those of the given outputs.
  const FusedGradient& gradient(const std::vector<bool>& wanted, const std::vector<bool>& given) const;

 private:
  struct Entry {
    std::vector<bool> wanted, given;
    FusedGradient gradient;
  };
  FusedGradient make_gradient(const std::vector<bool>& wanted, const std::vector<bool>& given) const;

  const Program& value_;
  int inputs_;
  std::vector<std::size_t> outputs_;  // steps of the program
  std::vector<int> saved_;
  Routine routine_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<const Entry>> gradients_;
};

class FusedProgram {
 public:
  FusedProgram(Program value, int inputs) : value_(std::move(value)), inputs_(inputs), routine_(value_, inputs) {}
  int inputs() const { return inputs_; }
  const Routine& routine() const { return routine_; }
  /// `large`: inputs which, kept for the gradient, count as memory.
  const FusedPlan& plan(const std::vector<bool>& needs, const std::vector<bool>& large) const;

 private:
  struct Entry {
    std::vector<bool> needs, large;
    FusedPlan plan;
  };
  Program value_;
  int inputs_;
  Routine routine_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<const Entry>> plans_;
};

}  // namespace weft::detail

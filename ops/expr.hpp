#pragma once
// The values that functions given to fused() compute on.
#include <cstddef>

namespace weft {

namespace detail {
class Program;
}

/// A value inside a function given to fused(): what is computed on it is written down, not computed. Numbers mix in.
class Expr {
 public:
  Expr(double value) : number_(value) {}  // NOLINT(google-explicit-constructor): 0.5 * x
  /// A value of a program being written.
  Expr(detail::Program& program, std::size_t at) : program_(&program), at_(at) {}

  /// Null: a number, which no program knows yet.
  detail::Program* program() const { return program_; }
  std::size_t at() const { return at_; }
  double number() const { return number_; }

 private:
  detail::Program* program_ = nullptr;
  std::size_t at_ = 0;
  double number_ = 0;
};

}  // namespace weft

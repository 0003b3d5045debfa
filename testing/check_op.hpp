#pragma once
// Everything an op has to hold, from one row.
#include <weft/testing/op_row.hpp>

namespace weft::testing {

struct CheckOptions {
  int order = 3;       ///< of the gradients
  bool large = true;   ///< the row's large inputs too
  int draws = 20;      ///< of random sizes for each case
  bool repeat = true;  ///< false, for sanitizers: large inputs on two threads only, with a gradient if there is one,
                       ///< not beside differences; other gradients beside those along random directions only
  std::uint64_t seed = 1;  ///< of these and of all values
};

struct CheckResult {
  bool ok = true;
  std::string message;               ///< what failed first: the check, the inputs, the element and both values
  double max_error = 0;              ///< of f64 values, relative to the larger of 1 and the value
  double f32_error = 0;              ///< the same of f32 values
  std::vector<std::string> checked;  ///< what was looked at: "values", "gradients to order 3", ...
  explicit operator bool() const { return ok; }
};

/// Checks a row on all its cases:
/// - values beside the reference, f64 and f32, i64 and u8 where declared, of nan and infinities, on one thread and on
///   two with the same bits, on several threads at once, and of sizes drawn at random in the place of the cases' own;
/// - values and first gradients along axes drawn at random, where the row can be drawn so;
/// - gradients beside differences in f64, with random cotangents, to the given order; f32's beside f64's; for every
///   subset of the inputs; of the same tensor given twice; of what another op made; under checkpoint;
/// - that inputs stay as they were, that an input changed in place between forward and backward is an Error or does not
///   matter, and that mixed dtypes are an Error of one line.
/// Never throws but for a row without function, reference or cases.
CheckResult check_op(const OpRow& row, const CheckOptions& options = {});

}  // namespace weft::testing

#pragma once
// The checks that constructors, setters and loaded states of optimisers and schedules share.
#include <weft/engine/error.hpp>

#include <cmath>
#include <cstdint>

namespace weft::detail {

/// Each throws Error naming `op` and `what` unless the value is finite and what its name says.
inline void check_not_negative(const char* op, const char* what, double value) {
  if (!(std::isfinite(value) && value >= 0)) fail(op, ": got ", what, " ", value, ", needs a number from 0");
}
inline void check_above_zero(const char* op, const char* what, double value) {
  if (!(std::isfinite(value) && value > 0)) fail(op, ": got ", what, " ", value, ", needs a number above 0");
}
inline void check_fraction(const char* op, const char* what, double value) {
  if (!(value >= 0 && value < 1)) fail(op, ": got ", what, " ", value, ", needs 0 <= ", what, " < 1");
}
/// The penalties on weights that the options of all optimisers have.
template <class Options>
void check_penalties(const char* op, const Options& o) {
  check_not_negative(op, "weight_decay", o.weight_decay);
  check_not_negative(op, "l1", o.l1);
}
/// A number of steps that can be counted on.
inline void check_steps(const char* op, std::int64_t steps) {
  if (steps < 0 || steps > std::int64_t{1} << 53) fail(op, ": got ", steps, " steps, needs 0 to 2^53");
}

}  // namespace weft::detail

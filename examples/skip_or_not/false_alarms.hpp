#pragma once
// How often a test finds a difference where there is none.
#include <cstdint>

struct FalseAlarms {
  std::int64_t data_sets;
  double corrected, naive;  ///< shares of the data sets with p < 0.05: 0.05 would be right
};

/// On so many simulated data sets, two models that are equally wrong on average: ridge regression on one half of the
/// inputs and on the other, of a target that depends on both halves alike. Their errors over a repeated
/// cross-validation are compared by the corrected resampled t-test and by the plain paired one.
FalseAlarms count_false_alarms(std::int64_t data_sets, std::int64_t folds, std::int64_t repeats, std::uint64_t seed);

#pragma once
// Tables made up for regression, after Friedman (Multivariate adaptive regression splines, Annals of Statistics 19,
// 1991): ten inputs uniform in [0, 1), of which five matter.
#include <weft/engine/random.hpp>
#include <weft/nn/data/dataset.hpp>

namespace common {

/// Friedman #1, with noise of variance 1 (the rest of y has a variance of about 24): x {rows, 10} and y {rows, 1},
///   y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5 + noise.
weft::nn::Dataset friedman1(std::int64_t rows, weft::DType dtype, weft::Generator& generator);

/// The same inputs and noise, and in the place of the bent part a straight one of about its variance:
///   y = 10 x1 + 10 x2 - 5 x3 + 10 x4 + 5 x5 + noise.
weft::nn::Dataset straight_friedman1(std::int64_t rows, weft::DType dtype, weft::Generator& generator);

/// Both parts' columns with mean 0 and deviation 1 over the first part.
void standardise(weft::nn::Dataset& train, weft::nn::Dataset& test);

}  // namespace common

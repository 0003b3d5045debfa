#pragma once
// Data of which is known how linear it is.
#include <cstdint>

#include <weft/nn/data/dataset.hpp>

struct Mixture {
  double linear_share;  ///< of the signal's variance, which is 1
  double noise;         ///< its standard deviation
  std::int64_t inputs = 5;
};

/// Rows to learn from, and others without noise to be tested on, of one function.
struct Rows {
  weft::nn::Dataset train, test;
};

/// x normal in all directions, y = sqrt(share) linear(x) + sqrt(1 - share) bent(x) + noise, where both functions are
/// drawn at random and have variance 1. The bent one is a quadratic form of Hermite polynomials, x_i x_j and
/// (x_i^2 - 1) / sqrt 2, none of which is correlated with any linear function, so the share is what it says.
Rows draw_rows(const Mixture& mixture, std::int64_t train, std::int64_t test, std::uint64_t seed);

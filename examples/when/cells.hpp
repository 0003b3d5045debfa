#pragma once
// The cells of the maps, and what is said of them.
#include <cstdint>
#include <string>
#include <vector>

#include "common/statistics.hpp"
#include "common/study.hpp"

/// What the maps are over: a cell for each combination, a pair of maps for each noise and number of hidden units.
struct Grid {
  std::vector<std::int64_t> rows;
  std::vector<double> shares, noises;
  std::vector<std::int64_t> hidden;
};

/// What two nets do on the same data from the same hidden weights, over the seeds.
struct Cell {
  std::int64_t rows, hidden;
  double share, noise;
  std::vector<double> mlp_error, skip_error;  ///< on noiseless test rows, in variances of the signal
  std::vector<double> mlp_steps, skip_steps;  ///< to the training error asked for
};

/// The second beside the first over the seeds: of the logarithms, so that a change is a factor.
common::Comparison compare(const std::vector<double>& first, const std::vector<double>& second);

/// Two maps for each noise and number of hidden units, the counts of cells, and the verdict. Steps that reach
/// `most_steps` are those of a net that did not get to the error `reach` above the noise.
void report(common::Study& study, const Grid& grid, const std::vector<Cell>& cells, double reach, int most_steps);

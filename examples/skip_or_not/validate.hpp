#pragma once
// Nested, repeated cross-validation of the six models.
#include <array>
#include <string>
#include <vector>

#include "common/statistics.hpp"
#include "train.hpp"

/// One of the six that are compared.
struct Model {
  const char* name;
  bool skip, hidden, l1;
};
constexpr std::array<Model, 6> models = {{{"linear, L2", true, false, false},
                                          {"linear, L1", true, false, true},
                                          {"MLP, L2", false, true, false},
                                          {"MLP, L1", false, true, true},
                                          {"MLP + skip, L2", true, true, false},
                                          {"MLP + skip, L1", true, true, true}}};
/// A family is two of them, and which penalty it takes is chosen in the inner loop too.
enum Family : std::size_t { linear, mlp, both };
constexpr std::array<const char*, 3> families = {"linear", "MLP", "MLP + skip"};

/// What the inner loop chooses from. Penalties go with the mean squared error of a standardised target.
struct Grid {
  std::vector<std::int64_t> hidden;
  std::vector<double> l2, l1;
};

struct Plan {
  std::int64_t folds = 5, inner_folds = 3;
  std::vector<std::uint64_t> seeds;  ///< one repeat each: of the folds and the first weights
  Grid grid;
};

/// What came out, over all folds of all repeats. Errors are mean squared, in variances of the target.
struct Outcome {
  std::string name;  ///< of the data
  std::int64_t rows, inputs;
  double test_over_train;                            ///< rows, for the corrected test
  std::array<std::vector<double>, 6> errors;         ///< of each model
  std::array<std::vector<double>, 3> family_errors;  ///< of each family
  std::array<std::vector<double>, 3>
      linear_shares;                         ///< of the variance of each family's fitted function; nan of few rows
  std::array<std::vector<double>, 6> zeros;  ///< share of each model's weights that are exactly zero
  /// Every row once, of the first repeat, out of fold, by the family `both`, in the target's units. The linear part is
  /// the linear function of the inputs that is closest to the fitted one; the rest is the nonlinear part.
  std::vector<double> actual, predicted, linear_part;

  /// Of the test errors: the first less the second.
  common::Comparison compare(Family a, Family b) const;
  common::Comparison compare_models(std::size_t a, std::size_t b) const;
};

Outcome cross_validate(const std::string& name, const weft::nn::Dataset& data, const Plan& plan,
                       const MakeNet& make_net);

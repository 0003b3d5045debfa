#pragma once
// The eigenvalues of a loss's Hessian: all of a small one, and where most are of any.
#include <weft/weft.hpp>

#include <vector>

/// What is asked of a spectrum.
struct Spectrum {
  double lowest, highest;      ///< eigenvalues
  double near_zero, negative;  ///< shares of eigenvalues within tau times the highest, and below
  weft::nn::SpectralDensity density = {};
};

/// By stochastic Lanczos quadrature. Near zero is what is at most tau times the highest.
Spectrum estimated(const weft::nn::Hessian& hessian, double tau, std::int64_t probes, std::int64_t steps,
                   std::uint64_t seed);

/// All eigenvalues, ascending, of the matrix itself: a product for each column, then eigh.
std::vector<double> exact_eigenvalues(const weft::nn::Hessian& hessian);
Spectrum exact(const std::vector<double>& eigenvalues, double tau);

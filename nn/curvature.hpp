#pragma once
// What is known of a symmetric matrix through its products with vectors, as of the Hessian of a loss with respect to
// many parameters, which is never made.
#include <weft/engine/random.hpp>
#include <weft/nn/module.hpp>

#include <functional>
#include <vector>

namespace weft::nn {

/// A symmetric matrix as its product with a vector {n}.
using MatVec = std::function<Tensor(const Tensor&)>;

/// The Hessian of a loss as a function of parameters, laid out one after another as parameters_to_vector() does.
class Hessian {
 public:
  /// Its product with a vector {size()} of either dtype, in that dtype; computed in that of the parameters.
  Tensor operator()(const Tensor& vector) const;
  /// How many parameters there are.
  std::int64_t size() const { return size_; }

 private:
  friend Hessian hessian_of(const std::function<Tensor()>& loss, const Tensors& parameters);
  Hessian() = default;

  Tensors parameters_;
  Tensor gradient_;  // of all parameters, recorded
  std::int64_t size_ = 0;
};

/// The Hessian with respect to those of the module's parameters that require a gradient, where they are now:
///   const nn::Hessian h = nn::hessian_of([&] { return nn::cross_entropy(net(x), y); }, net);
///   std::cout << nn::lanczos(h, h.size(), 30).values.back() << " is the sharpest curvature\n";
/// The loss runs once, here; a product then costs one backward through it and its gradient (Pearlmutter 1994), and
/// throws Error once a parameter has been changed in place. With batch norm and dropout the module's mode decides of
/// which function it is. Throws Error unless the loss is one element and some parameter requires a gradient.
Hessian hessian_of(const std::function<Tensor()>& loss, const Module& module);
/// The same for these parameters, all of one dtype.
Hessian hessian_of(const std::function<Tensor()>& loss, const Tensors& parameters);

/// A matrix T with three diagonals, the part of a matrix A that is seen from a start vector v: T = Q A Q' with the
/// orthonormal rows of Q, of which the first is v / |v|.
struct Tridiagonal {
  std::vector<double> diagonal, beside;  ///< T: m, and m - 1 above and below
  std::vector<double> values;            ///< Ritz values, T's eigenvalues, ascending; the outer ones near those of A
  /// Of Gauss's quadrature: the sum of weights[i] values[i]^k is v'A^k v / v'v for all k < 2m. Their sum is 1.
  std::vector<double> weights;
  std::vector<double> residuals;  ///< |A u - value u| of the Ritz vectors u: an eigenvalue of A is as near as that
  Tensor basis;                   ///< Q, f64 {m, n}
  Tensor coordinates;             ///< T's eigenvectors as columns, f64 {m, m}

  /// The Ritz vector of values[i], f64 {n}, of length 1; negative i counts from the end.
  Tensor vector(std::int64_t i) const;
};

/// Lanczos's method (1950) with every vector orthogonalised twice against all before it, in f64, whatever the dtype
/// that `a` is given and answers in. m is `steps`, or less where A maps the space that has been reached to itself:
/// there all of `values` are eigenvalues, and a start vector at random has a part in each eigenspace, so that none is
/// missing. At most n. Takes steps * n * 8 bytes. Throws Error if a product has another shape or is not finite.
Tridiagonal lanczos(const MatVec& a, const Tensor& start, std::int64_t steps);
/// From a normal random vector {n}; `a` is given vectors of `dtype`.
Tridiagonal lanczos(const MatVec& a, std::int64_t n, std::int64_t steps, DType dtype = f64,
                    Generator& generator = default_generator());

/// A mean over random probes with its standard error (nan for a single probe).
struct Estimate {
  double value = 0, error = 0;
};

/// The trace of an {n, n} matrix as the mean of v'Av over vectors v of random signs (Hutchinson 1989): exact for a
/// diagonal matrix, else with the variance 2 (sum of squares beside the diagonal) / probes.
Estimate hutchinson_trace(const MatVec& a, std::int64_t n, std::int64_t probes = 100, DType dtype = f64,
                          Generator& generator = default_generator());

struct SpectralDensityOptions {
  std::int64_t probes = 10;    ///< random vectors: each adds evidence on how many eigenvalues are where
  std::int64_t steps = 80;     ///< of Lanczos's method for each: how finely places are told apart
  double sigma = 0;            ///< standard deviation of the bell around each node; 0: a hundredth of the spectrum
  std::int64_t points = 1001;  ///< of the grid
  DType dtype = f64;           ///< of the vectors that the matrix is given
};

/// How the eigenvalues of a matrix are distributed, estimated; each eigenvalue counts 1/n.
struct SpectralDensity {
  std::vector<std::vector<double>> nodes, weights;  ///< of each probe: Ritz values, and weights of the sum 1
  std::vector<double> grid, density;                ///< per unit of eigenvalue; the integral over the grid is 1
  double sigma = 0;

  /// Of the function f, its mean over all eigenvalues, with the error over the probes.
  Estimate mean(const std::function<double(double)>& f) const;
  /// The share of eigenvalues within low <= value <= high. A node stands for eigenvalues around it, so that what lies
  /// closer to a bound than nodes lie to one another may be counted on either side.
  Estimate fraction(double low, double high) const;
};

/// Stochastic Lanczos quadrature (Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38, 2017): the density of an
/// {n, n} matrix's eigenvalues as the mean over vectors of random signs of Gauss's quadratures that Lanczos's method
/// gives, with a normal density in the place of each node. Throws Error unless sigma is at least the grid's step.
SpectralDensity spectral_density(const MatVec& a, std::int64_t n, const SpectralDensityOptions& options = {},
                                 Generator& generator = default_generator());

}  // namespace weft::nn

#include <weft/nn/curvature.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/decompose.hpp>
#include <weft/ops/dot.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft::nn {
namespace {

void check_counts(const char* op, std::int64_t n, const char* what, std::int64_t count) {
  if (n < 1) fail(op, ": got n = ", n, ", needs a positive number");
  if (count < 1) fail(op, ": got ", count, " ", what, ", needs a positive number");
}
void check_dtype(const char* op, DType dtype) {
  if (dtype != f32 && dtype != f64) fail(op, ": got the dtype ", dtype, ", needs f32 or f64");
}

std::string described(const Tensor& t) {
  using weft::detail::to_text;
  return t.defined() ? to_text(t.dtype()) + " " + to_text(t.shape()) : "an undefined tensor";
}

double length(const Tensor& v) { return std::sqrt(dot(v, v).item()); }
std::vector<double> elements_of(const Tensor& v) {
  const auto values = v.data<double>();
  return {values.begin(), values.end()};
}

// A v in f64, of a v in f64.
Tensor product(const char* op, const MatVec& a, const Tensor& v, DType dtype) {
  const Tensor result = a(v.to(dtype));
  if (!result.defined() || result.shape() != v.shape() || (result.dtype() != f32 && result.dtype() != f64))
    fail(op, ": got ", described(result), " as a product, needs f32 or f64 ", v.shape());
  const Tensor wide = result.detach().to(f64);
  if (!std::isfinite(sum(abs(wide)).item())) fail(op, ": got a product that is not finite");
  return wide;
}

Tensor as_one_vector(const Tensors& parts) {
  Tensors flat;
  for (const Tensor& part : parts) flat.push_back(reshape(part, {-1}));
  return concat(flat, 0);
}

// The signs of n throws of a coin.
Tensor random_signs(std::int64_t n, Generator& generator) { return 2.0 * bernoulli({n}, 0.5, f64, generator) - 1.0; }

Tensor matrix_of(const Tridiagonal& t) {
  const auto m = static_cast<std::int64_t>(t.diagonal.size());
  Tensor matrix = zeros({m, m}, f64);
  const auto elements = matrix.mutable_data<double>();
  for (std::int64_t i = 0; i < m; ++i) {
    const auto at = static_cast<std::size_t>(i * m + i), k = static_cast<std::size_t>(i);
    elements[at] = t.diagonal[k];
    if (i + 1 < m) elements[at + 1] = elements[at + static_cast<std::size_t>(m)] = t.beside[k];
  }
  return matrix;
}

// Ritz values and what belongs to them, once T is there; `rest` would be T's next element beside the diagonal.
void solve(Tridiagonal& t, double rest) {
  const Tensors pairs = eigh(matrix_of(t));
  t.values = elements_of(pairs[0]);
  t.coordinates = pairs[1];
  t.weights = elements_of(pairs[1][0]);
  for (double& w : t.weights) w *= w;
  t.residuals = elements_of(pairs[1][-1]);
  for (double& r : t.residuals) r = std::abs(r) * rest;
}

Tridiagonal run_lanczos(const char* op, const MatVec& a, const Tensor& start, std::int64_t steps, DType dtype) {
  const NoGrad off;
  const std::int64_t n = start.size(), most = std::min(steps, n);
  const double tiny = 10 * std::sqrt(static_cast<double>(n)) * std::numeric_limits<double>::epsilon();
  Tridiagonal t;
  Tensor basis = zeros({most, n}, f64), v = start / length(start);
  double size = 0, rest = 0;  // the largest element of T so far, and the length of what is left of a product
  for (std::int64_t k = 0; k < most; ++k) {
    std::ranges::copy(v.data<double>(), basis.mutable_data<double>().begin() + k * n);
    Tensor w = product(op, a, v, dtype);
    t.diagonal.push_back(dot(v, w).item());
    for (int twice = 0; twice < 2; ++twice) w = w - matmul(matmul(basis, w), basis);  // rows to come are zeros
    rest = length(w);
    size = std::max({size, std::abs(t.diagonal.back()), k > 0 ? t.beside.back() : 0});
    if (rest <= tiny * size || k + 1 == n) {
      rest = 0;
      break;
    }
    if (k + 1 < most) t.beside.push_back(rest);
    v = w / rest;
  }
  const auto m = static_cast<std::int64_t>(t.diagonal.size());
  t.basis = m == most ? basis : slice(basis, 0, 0, m);
  solve(t, rest);
  return t;
}

// The mean of these and its standard error.
Estimate estimate_of(const std::vector<double>& samples) {
  const auto count = static_cast<double>(samples.size());
  double mean = 0, squares = 0;
  for (const double s : samples) mean += s;
  mean /= count;
  for (const double s : samples) squares += (s - mean) * (s - mean);
  return {mean,
          samples.size() < 2 ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(squares / (count - 1) / count)};
}

// From the lowest to the highest node, with room for the bells at both ends.
void make_grid(SpectralDensity& d, const SpectralDensityOptions& options) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& nodes : d.nodes) low = std::min(low, nodes.front()), high = std::max(high, nodes.back());
  const double span = high > low ? high - low : std::max(std::abs(high), 1.0);
  d.sigma = options.sigma > 0 ? options.sigma : span / 100;
  const double margin = 7 * d.sigma, step = (high - low + 2 * margin) / static_cast<double>(options.points - 1);
  if (d.sigma < step)
    fail("spectral_density: got sigma ", d.sigma, " and ", options.points, " points over ", high - low + 2 * margin,
         ", needs a sigma of at least the step between points, ", step);
  for (std::int64_t i = 0; i < options.points; ++i) d.grid.push_back(low - margin + step * static_cast<double>(i));
}

void add_bells(SpectralDensity& d) {
  d.density.assign(d.grid.size(), 0);
  const double height = 1 / (d.sigma * std::sqrt(2 * std::numbers::pi) * static_cast<double>(d.nodes.size()));
  for (std::size_t p = 0; p < d.nodes.size(); ++p)
    for (std::size_t i = 0; i < d.nodes[p].size(); ++i)
      for (std::size_t g = 0; g < d.grid.size(); ++g) {
        const double z = (d.grid[g] - d.nodes[p][i]) / d.sigma;
        d.density[g] += height * d.weights[p][i] * std::exp(-z * z / 2);
      }
}

}  // namespace

Hessian hessian_of(const std::function<Tensor()>& loss, const Module& module) {
  return hessian_of(loss, module.parameters());
}

Hessian hessian_of(const std::function<Tensor()>& loss, const Tensors& parameters) {
  const EnableGrad on;
  Hessian result;
  for (const Tensor& p : parameters)
    if (p.requires_grad()) result.parameters_.push_back(p);
  if (result.parameters_.empty()) fail("hessian_of: no parameter requires a gradient");
  const Tensor value = loss();
  if (!value.defined() || value.size() != 1)
    fail("hessian_of: got ", described(value), " as the loss, needs one element");
  Tensors gradients = weft::detail::connected_gradients({value}, result.parameters_,
                                                        {.grad_outputs = {ones_like(value)}, .create_graph = true});
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (!gradients[i].defined()) gradients[i] = zeros_like(result.parameters_[i]);
  result.gradient_ = as_one_vector(gradients);
  result.size_ = result.gradient_.size();
  return result;
}

Tensor Hessian::operator()(const Tensor& vector) const {
  if (!vector.defined() || vector.shape() != Shape{size_})
    fail("Hessian: got ", described(vector), ", needs a vector {", size_, "}");
  Tensors parts = weft::detail::connected_gradients(
      {gradient_}, parameters_, {.grad_outputs = {vector.detach().to(gradient_.dtype())}, .retain_graph = true});
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!parts[i].defined()) parts[i] = zeros_like(parameters_[i]);
  const NoGrad off;
  return as_one_vector(parts).to(vector.dtype());
}

Tensor Tridiagonal::vector(std::int64_t i) const {
  const auto m = static_cast<std::int64_t>(values.size());
  if (i < -m || i >= m) fail("Tridiagonal::vector: got ", i, ", needs ", -m, " to ", m - 1);
  const NoGrad off;
  return matmul(transpose(coordinates)[i], basis);
}

Tridiagonal lanczos(const MatVec& a, const Tensor& start, std::int64_t steps) {
  if (!start.defined() || start.rank() != 1) fail("lanczos: got ", described(start), ", needs a start vector {n}");
  check_counts("lanczos", start.size(), "steps", steps);
  check_dtype("lanczos", start.dtype());
  const NoGrad off;
  const Tensor wide = start.detach().to(f64);
  const double size = length(wide);
  if (!(std::isfinite(size) && size > 0))
    fail("lanczos: got a start vector of length ", size, ", needs a finite one that is not 0");
  return run_lanczos("lanczos", a, wide, steps, start.dtype());
}

Tridiagonal lanczos(const MatVec& a, std::int64_t n, std::int64_t steps, DType dtype, Generator& generator) {
  check_counts("lanczos", n, "steps", steps);
  check_dtype("lanczos", dtype);
  return run_lanczos("lanczos", a, randn({n}, f64, generator), steps, dtype);
}

Estimate hutchinson_trace(const MatVec& a, std::int64_t n, std::int64_t probes, DType dtype, Generator& generator) {
  check_counts("hutchinson_trace", n, "probes", probes);
  check_dtype("hutchinson_trace", dtype);
  const NoGrad off;
  std::vector<double> samples;
  for (std::int64_t p = 0; p < probes; ++p) {
    const Tensor v = random_signs(n, generator);
    samples.push_back(dot(v, product("hutchinson_trace", a, v, dtype)).item());
  }
  return estimate_of(samples);
}

Estimate SpectralDensity::mean(const std::function<double(double)>& f) const {
  std::vector<double> samples;
  for (std::size_t p = 0; p < nodes.size(); ++p) {
    double sum = 0;
    for (std::size_t i = 0; i < nodes[p].size(); ++i) sum += weights[p][i] * f(nodes[p][i]);
    samples.push_back(sum);
  }
  return estimate_of(samples);
}

Estimate SpectralDensity::fraction(double low, double high) const {
  return mean([&](double value) { return value >= low && value <= high ? 1.0 : 0.0; });
}

SpectralDensity spectral_density(const MatVec& a, std::int64_t n, const SpectralDensityOptions& options,
                                 Generator& generator) {
  check_counts("spectral_density", n, "probes", options.probes);
  check_counts("spectral_density", n, "steps", options.steps);
  check_dtype("spectral_density", options.dtype);
  detail::check_not_negative("spectral_density", "sigma", options.sigma);
  if (options.points < 2) fail("spectral_density: got ", options.points, " points, needs at least 2");
  SpectralDensity result;
  for (std::int64_t p = 0; p < options.probes; ++p) {
    const NoGrad off;
    Tridiagonal t = run_lanczos("spectral_density", a, random_signs(n, generator), options.steps, options.dtype);
    result.nodes.push_back(std::move(t.values));
    result.weights.push_back(std::move(t.weights));
  }
  make_grid(result, options);
  add_bells(result);
  return result;
}

}  // namespace weft::nn

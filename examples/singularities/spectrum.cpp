#include "spectrum.hpp"

#include <algorithm>
#include <cmath>

using namespace weft;

Spectrum estimated(const nn::Hessian& hessian, double tau, std::int64_t probes, std::int64_t steps,
                   std::uint64_t seed) {
  Generator draws(seed);
  nn::SpectralDensity d =
      nn::spectral_density(hessian, hessian.size(), {.probes = probes, .steps = steps, .points = 2001}, draws);
  double lowest = d.nodes[0].front(), highest = d.nodes[0].back();
  for (const auto& nodes : d.nodes) {
    lowest = std::min(lowest, nodes.front());
    highest = std::max(highest, nodes.back());
  }
  const double edge = tau * highest, near_zero = d.fraction(-edge, edge).value;
  return {lowest, highest, near_zero, d.mean([&](double v) { return v < -edge ? 1.0 : 0.0; }).value, std::move(d)};
}

std::vector<double> exact_eigenvalues(const nn::Hessian& hessian) {
  const std::int64_t n = hessian.size();
  Tensors columns;
  for (const Tensor& direction : eye(n, f64)) columns.push_back(hessian(direction));
  const Tensor matrix = stack(columns), values = eigh((matrix + transpose(matrix)) / 2.0)[0];
  return {values.data<double>().begin(), values.data<double>().end()};
}

Spectrum exact(const std::vector<double>& eigenvalues, double tau) {
  const double edge = tau * eigenvalues.back();
  const auto share = [&](auto&& inside) {
    return static_cast<double>(std::ranges::count_if(eigenvalues, inside)) / static_cast<double>(eigenvalues.size());
  };
  return {eigenvalues.front(), eigenvalues.back(), share([&](double v) { return std::abs(v) <= edge; }),
          share([&](double v) { return v < -edge; })};
}

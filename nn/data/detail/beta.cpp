#include <weft/nn/data/detail/beta.hpp>

#include <cmath>

namespace weft::detail {
namespace {

// In (0, 1].
double above_zero(Generator& generator) { return 1 - rand({}, f64, generator).item(); }

// The logarithm of a draw from Gamma(shape, 1), which may be too small for a double itself (Marsaglia and Tsang, "A
// simple method for generating gamma variables", ACM TOMS 26, 2000).
double log_gamma_draw(double shape, Generator& generator) {
  if (shape < 1) {
    const double of_larger = log_gamma_draw(shape + 1, generator);
    return of_larger + std::log(above_zero(generator)) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = randn({}, f64, generator).item(), root = 1 + c * x;
    if (root <= 0) continue;
    const double log_v = 3 * std::log(root);
    if (std::log(above_zero(generator)) < x * x / 2 + d * (1 - root * root * root + log_v)) return std::log(d) + log_v;
  }
}

}  // namespace

double draw_beta(double alpha, Generator& generator) {
  const double first = log_gamma_draw(alpha, generator), second = log_gamma_draw(alpha, generator);
  return 1 / (1 + std::exp(second - first));
}

}  // namespace weft::detail

#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace common {
namespace {

// The continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto safe = [](double v) { return std::abs(v) < tiny ? tiny : v; };
  double c = 1, d = 1 / safe(1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m < 500; ++m) {
    const double k = m;
    const auto step = [&](double factor) {
      d = 1 / safe(1 + factor * d);
      c = safe(1 + factor / c);
      result *= c * d;
    };
    step(k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k)));
    const double before = result;
    step(-(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1)));
    if (std::abs(result - before) < 1e-15 * std::abs(result)) break;
  }
  return result;
}

// I_x(a, b), the regularised incomplete beta function.
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

Comparison compared(const std::vector<double>& differences, double variance_factor) {
  const double middle = mean(differences), spread = standard_deviation(differences);
  const double error = spread * std::sqrt(variance_factor);
  const auto degrees = static_cast<double>(differences.size()) - 1;
  if (degrees < 1)
    return {middle, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(), 0, 1};
  const double reach = t_quantile(0.05, degrees) * error;
  const double t = error > 0 ? middle / error : middle == 0 ? 0 : std::copysign(HUGE_VAL, middle);
  return {middle, middle - reach, middle + reach, t, two_sided_p(t, degrees)};
}

}  // namespace

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double middle = mean(values);
  double squares = 0;
  for (const double v : values) squares += (v - middle) * (v - middle);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? std::numeric_limits<double>::quiet_NaN() : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

double two_sided_p(double t, double degrees) {
  return std::isinf(t) ? 0 : incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

double t_quantile(double p, double degrees) {
  double low = 0, high = 1;
  while (two_sided_p(high, degrees) > p) high *= 2;
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = (low + high) / 2;
    (two_sided_p(middle, degrees) > p ? low : high) = middle;
  }
  return (low + high) / 2;
}

Comparison paired(const std::vector<double>& differences) {
  return compared(differences, 1 / static_cast<double>(differences.size()));
}

Comparison corrected_paired(const std::vector<double>& differences, double test_share_over_train_share) {
  return compared(differences, 1 / static_cast<double>(differences.size()) + test_share_over_train_share);
}

Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  const double x_mean = mean(x), y_mean = mean(y);
  double products = 0, squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    products += (x[i] - x_mean) * (y[i] - y_mean);
    squares += (x[i] - x_mean) * (x[i] - x_mean);
  }
  const double slope = products / squares;
  return {slope, y_mean - slope * x_mean};
}

}  // namespace common

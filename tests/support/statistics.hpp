#pragma once
// Moments and counts of random numbers, and how far they may be from what is expected. Tests draw from fixed seeds, so
// they pass or fail for good: the bounds lie where a right generator gets to by one seed in a million.
#include <weft/engine/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace weft::test {

inline constexpr double deviations = 5;

/// The elements of a tensor of any dtype.
inline std::vector<double> values_of(const Tensor& t) {
  std::vector<double> values;
  detail::visit_dtype(t.dtype(), [&](auto zero) {
    for (const auto x : t.data<decltype(zero)>()) values.push_back(static_cast<double>(x));
  });
  return values;
}

struct Moments {
  double mean = 0, variance = 0, kurtosis = 0, lowest = 0, highest = 0;  // kurtosis: 3 of the normal, 1.8 uniform
};

inline Moments moments_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Moments m;
  for (const double x : values) m.mean += x / n;
  for (const double x : values) {
    const double square = (x - m.mean) * (x - m.mean);
    m.variance += square / n;
    m.kurtosis += square * square / n;
  }
  m.kurtosis /= m.variance * m.variance;
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  m.lowest = *lowest;
  m.highest = *highest;
  return m;
}
inline Moments moments_of(const Tensor& t) { return moments_of(values_of(t)); }

/// Whether `count` of n independent trials is what the probability p gives.
inline bool plausible(double count, double n, double p) {
  return std::abs(count - n * p) <= deviations * std::sqrt(n * p * (1 - p));
}

/// Whether n numbers with these moments are from a distribution with that mean, variance and kurtosis.
inline bool plausible(const Moments& m, std::size_t count, double mean, double variance, double kurtosis) {
  const auto n = static_cast<double>(count);
  return std::abs(m.mean - mean) <= deviations * std::sqrt(variance / n) &&
         std::abs(m.variance / variance - 1) <= deviations * std::sqrt((kurtosis - 1) / n);
}

/// Whether counts of equally likely outcomes differ as much as chance makes them: chi squared within six of its
/// standard deviations (its upper tail is longer than the normal's), above and below.
inline bool even(const std::vector<std::int64_t>& counts) {
  const double each = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0})) /
                      static_cast<double>(counts.size());
  double chi_squared = 0;
  for (const std::int64_t count : counts) {
    const double off = static_cast<double>(count) - each;
    chi_squared += off * off / each;
  }
  const auto freedom = static_cast<double>(counts.size() - 1);
  return each > 0 && std::abs(chi_squared - freedom) <= 6 * std::sqrt(2 * freedom);
}

/// Whether numbers of mean 0 and variance 1 are uncorrelated with those `lag` places on.
inline bool uncorrelated(const std::vector<double>& values, std::size_t lag) {
  double sum = 0;
  for (std::size_t i = lag; i < values.size(); ++i) sum += values[i] * values[i - lag];
  return std::abs(sum) <= deviations * std::sqrt(static_cast<double>(values.size() - lag));
}

}  // namespace weft::test

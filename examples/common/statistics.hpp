#pragma once
// What the studies say of numbers: means with their spread, and whether a difference is more than chance.
#include <cstddef>
#include <vector>

namespace common {

double mean(const std::vector<double>& values);
/// With n - 1; 0 of fewer than two.
double standard_deviation(const std::vector<double>& values);
double median(std::vector<double> values);

/// P(|T| >= |t|) of Student's t with so many degrees of freedom: 1 where t is 0, 0 where it is infinite.
double two_sided_p(double t, double degrees);
/// The t that is exceeded on either side with the probability p together: t_quantile(0.05, 9) is 2.262.
double t_quantile(double p, double degrees);

/// A mean difference with its interval of 95 % and the probability that chance alone makes one as large.
struct Comparison {
  double difference, low, high, t, p;
  bool significant() const { return p < 0.05; }
};

/// Of paired differences that do not depend on one another: the plain paired t-test.
Comparison paired(const std::vector<double>& differences);
/// Of differences over folds of a repeated cross-validation, whose training sets overlap: the variance is taken by
/// 1/n + test/train instead of 1/n (Nadeau and Bengio, Machine Learning 52, 2003).
Comparison corrected_paired(const std::vector<double>& differences, double test_share_over_train_share);

/// The straight line of least squares y = slope * x + intercept.
struct Line {
  double slope, intercept;
};
Line fit_line(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace common

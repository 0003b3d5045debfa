#include <weft/ops/loss.hpp>

#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/loss.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

Tensor huber_difference(const Tensor& a, const Tensor& b, double delta) {
  if (!(delta > 0)) fail("huber_difference: got delta ", delta, ", needs more than 0");
  return detail::apply(detail::Huber{delta}, a, b);
}

Tensor absolute_difference(const Tensor& a, const Tensor& b) {
  return detail::apply(detail::AbsoluteDifference{}, a, b);
}

Tensor bernoulli_cross_entropy(const Tensor& p, const Tensor& target) {
  return detail::apply(detail::BernoulliCrossEntropy{}, p, target);
}

Tensor relative_entropy(const Tensor& log_p, const Tensor& target) {
  return detail::apply(detail::RelativeEntropy{}, log_p, target);
}

Tensor relative_entropy_of_logs(const Tensor& log_p, const Tensor& log_target) {
  return detail::apply(detail::RelativeEntropyOfLogs{}, log_p, log_target);
}

Tensor hinge_margin(const Tensor& score, const Tensor& target) {
  return detail::apply(detail::HingeMargin{}, score, target);
}

Tensor gaussian_surprise(const Tensor& mean, const Tensor& target, const Tensor& variance, double eps) {
  if (!(eps > 0)) fail("gaussian_surprise: got eps ", eps, ", needs more than 0");
  return detail::apply(detail::GaussianSurprise{eps}, mean, target, variance);
}

}  // namespace weft

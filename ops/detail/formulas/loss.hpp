#pragma once
// The formulas of losses; see elementwise.hpp. Who includes this includes the headers that declare the functions which
// the formulas use.
#include <weft/ops/detail/elementwise.hpp>

namespace weft::detail {

struct Huber {
  static constexpr const char* name = "huber_difference";
  double delta = 1;
  Fields describe() const { return {{"delta", delta}}; }
  auto value(auto a, auto b) const {
    const auto size = abs(a - b);
    return where(size <= delta, 0.5 * (size * size), delta * (size - 0.5 * delta));
  }
  constexpr auto slope(auto d) const { return where(d > delta, delta, where(d < -delta, -delta, d)); }
  constexpr auto d0(auto g, auto a, auto b, auto) const { return g * slope(a - b); }
  constexpr auto d1(auto g, auto a, auto b, auto) const { return g * slope(b - a); }
};

struct AbsoluteDifference {
  static constexpr const char* name = "absolute_difference";
  static auto value(auto a, auto b) { return abs(a - b); }
  static constexpr auto d0(auto g, auto a, auto b, auto) { return where(a > b, g, where(a < b, -g, 0.0)); }
  static constexpr auto d1(auto g, auto a, auto b, auto) { return where(a < b, g, where(a > b, -g, 0.0)); }
};

struct BernoulliCrossEntropy {
  static constexpr const char* name = "bernoulli_cross_entropy";
  static constexpr auto bounded(auto logarithm) { return where(logarithm < -100.0, -100.0, logarithm); }
  static auto value(auto p, auto target) { return (target - 1.0) * bounded(log1p(-p)) - target * bounded(log(p)); }
  static constexpr auto d0(auto g, auto p, auto target, auto) {
    const auto spread = p * (1.0 - p);
    return g * (p - target) / where(spread < 1e-12, 1e-12, spread);
  }
  static constexpr auto d1(auto g, auto p, auto, auto) { return g * (bounded(log1p(-p)) - bounded(log(p))); }
};

struct RelativeEntropy {
  static constexpr const char* name = "relative_entropy";
  static auto value(auto log_p, auto target) {
    return where(equal(target, 0.0), 0.0, target * log(target)) - target * log_p;
  }
  static constexpr auto d0(auto g, auto, auto target, auto) { return -g * target; }
  static constexpr auto d1(auto g, auto log_p, auto target, auto) { return g * (log(target) + 1.0 - log_p); }
};

struct RelativeEntropyOfLogs {
  static constexpr const char* name = "relative_entropy_of_logs";
  static auto value(auto log_p, auto log_target) { return exp(log_target) * (log_target - log_p); }
  static constexpr auto d0(auto g, auto, auto log_target, auto) { return -g * exp(log_target); }
  static constexpr auto d1(auto g, auto log_p, auto log_target, auto) {
    return g * (exp(log_target) * (log_target - log_p + 1.0));
  }
};

struct HingeMargin {
  static constexpr const char* name = "hinge_margin";
  static auto value(auto score, auto target) {
    const auto short_by = 1.0 - target * score;
    return where(short_by < 0.0, 0.0, short_by);
  }
  static constexpr auto d0(auto g, auto, auto target, auto y) { return where(equal(y, 0.0), 0.0, -g * target); }
  static constexpr auto d1(auto g, auto score, auto, auto y) { return where(equal(y, 0.0), 0.0, -g * score); }
};

struct GaussianSurprise {
  static constexpr const char* name = "gaussian_surprise";
  double eps = 1e-6;
  Fields describe() const { return {{"eps", eps}}; }
  constexpr auto bounded(auto variance) const { return where(variance < eps, eps, variance); }
  auto value(auto mean, auto target, auto variance) const {
    const auto v = bounded(variance);
    return 0.5 * (log(v) + (mean - target) * (mean - target) / v);
  }
  constexpr auto d0(auto g, auto mean, auto target, auto variance, auto) const {
    return g * (mean - target) / bounded(variance);
  }
  constexpr auto d1(auto g, auto mean, auto target, auto variance, auto) const {
    return g * (target - mean) / bounded(variance);
  }
  constexpr auto d2(auto g, auto mean, auto target, auto variance, auto) const {
    const auto v = bounded(variance), ratio = (mean - target) / v;
    return 0.5 * g * (1.0 / v - ratio * ratio);
  }
};

}  // namespace weft::detail

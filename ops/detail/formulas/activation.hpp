#pragma once
// Formulas of activations.
#include <weft/ops/detail/elementwise.hpp>

#include <numbers>

namespace weft::detail {

/// x, or the bound that it lies beyond; nan stays.
constexpr auto within(auto x, double low, double high) { return where(x < low, low, where(x > high, high, x)); }

struct Relu {
  static constexpr const char* name = "relu";
  static constexpr bool integers = true;
  static auto value(auto x) { return where(x < 0.0, 0.0, x); }
  static constexpr auto d0(auto g, auto, auto y) { return where(equal(y, 0.0), 0.0, g); }
};
// PyTorch's, with the slope g at nan.
struct Hardtanh {
  static constexpr const char* name = "hardtanh";
  double low = -1, high = 1;
  Fields describe() const { return {{"low", low}, {"high", high}}; }
  constexpr auto value(auto x) const { return within(x, low, high); }
  constexpr auto d0(auto g, auto x, auto) const { return where(x <= low, 0.0, where(x >= high, 0.0, g)); }
};
struct LeakyRelu {
  static constexpr const char* name = "leaky_relu";
  double slope = 0.01;
  Fields describe() const { return {{"slope", slope}}; }
  auto value(auto x) const { return where(x > 0.0, x, slope * x); }
  constexpr auto d0(auto g, auto x, auto) const { return where(x > 0.0, g, slope * g); }
};
// Below 0 the scaled and stretched exp(x) - 1. The exponential in the gradient is of no more than 0 everywhere, so that
// no infinity meets the 0 that a second gradient has for the branch not taken.
struct Elu {
  static constexpr const char* name = "elu";
  double alpha = 1, scale = 1, input_scale = 1;
  Fields describe() const { return {{"alpha", alpha}, {"scale", scale}, {"input_scale", input_scale}}; }
  auto value(auto x) const { return where(x <= 0.0, scale * alpha * expm1(input_scale * x), scale * x); }
  constexpr auto d0(auto g, auto x, auto) const {
    const auto below = exp(input_scale * where(x <= 0.0, x, 0.0));
    return where(x <= 0.0, g * (scale * alpha * input_scale * below), scale * g);
  }
};
struct Selu : Elu {
  static constexpr const char* name = "selu";
};
struct Celu : Elu {
  static constexpr const char* name = "celu";
};
struct Softplus {
  static constexpr const char* name = "softplus";
  static auto value(auto x) { return where(x > 0.0, x, 0.0) + log1p(exp(-abs(x))); }
  static constexpr auto d0(auto g, auto x, auto) { return g * sigmoid(x); }
};
struct LogSigmoid {
  static constexpr const char* name = "log_sigmoid";
  static auto value(auto x) { return where(x < 0.0, x, 0.0) - log1p(exp(-abs(x))); }
  static constexpr auto d0(auto g, auto x, auto) { return g * sigmoid(-x); }
};
struct Softsign {
  static constexpr const char* name = "softsign";
  static auto value(auto x) { return x / (1.0 + abs(x)); }
  static constexpr auto d0(auto g, auto x, auto) {
    const auto scale = 1.0 + abs(x);
    return g / (scale * scale);
  }
};
struct Silu {
  static constexpr const char* name = "silu";
  static auto value(auto x) { return x * sigmoid(x); }
  static constexpr auto d0(auto g, auto x, auto) {
    const auto s = sigmoid(x);
    return g * (s * (1.0 + x * (1.0 - s)));
  }
};
// With e = exp(x), tanh(log(1 + e)) is n / (n + 2) for n = e (e + 2); from x = 20 on it is 1.
struct Mish {
  static constexpr const char* name = "mish";
  static constexpr auto gate(auto x) {
    const auto e = exp(where(x > 20.0, 20.0, x)), n = e * (e + 2.0);
    return n / (n + 2.0);
  }
  static auto value(auto x) { return x * gate(x); }
  static constexpr auto d0(auto g, auto x, auto) {
    const auto t = gate(x);
    return g * (t + x * sigmoid(x) * (1.0 - t * t));
  }
};
struct Hardsigmoid {
  static constexpr const char* name = "hardsigmoid";
  static constexpr auto value(auto x) { return within(x + 3.0, 0, 6) / 6.0; }
  static constexpr auto d0(auto g, auto x, auto) { return where(x > -3.0, where(x < 3.0, g / 6.0, 0.0), 0.0); }
};
struct Hardswish {
  static constexpr const char* name = "hardswish";
  static auto value(auto x) { return x * Hardsigmoid::value(x); }
  static constexpr auto d0(auto g, auto x, auto) {
    return where(x < -3.0, 0.0, where(x < 3.0, g * (x / 3.0 + 0.5), g));
  }
};
// Exact: x times the normal distribution function.
struct Gelu {
  static constexpr const char* name = "gelu";
  static Fields describe() { return {{"form", "exact"}}; }
  static constexpr double density = std::numbers::inv_sqrtpi * std::numbers::sqrt2 / 2;  // of a normal variable at 0
  static constexpr auto distribution(auto x) {
    if constexpr (requires { normal_distribution(x); })  // on registers
      return normal_distribution(x);
    else
      return 0.5 * (1.0 + erf(x * (std::numbers::sqrt2 / 2)));
  }
  static auto value(auto x) { return x * distribution(x); }
  static constexpr auto d0(auto g, auto x, auto) { return g * (distribution(x) + x * density * exp(-0.5 * (x * x))); }
};
// Hendrycks and Gimpel's approximation (arXiv 1606.08415).
struct GeluTanh {
  static constexpr const char* name = "gelu";
  static Fields describe() { return {{"form", "tanh"}}; }
  static constexpr double scale = std::numbers::inv_sqrtpi * std::numbers::sqrt2, cubic = 0.044715;
  static constexpr auto inner(auto x) { return tanh(scale * (x + cubic * (x * x * x))); }
  static auto value(auto x) { return 0.5 * x * (1.0 + inner(x)); }
  static constexpr auto d0(auto g, auto x, auto) {
    const auto t = inner(x);
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * (scale * (1.0 + 3.0 * cubic * (x * x))));
  }
};

}  // namespace weft::detail

// Rows of activations.
#include <algorithm>
#include <cmath>
#include <numbers>

#include <tests/support/elementwise_rows.hpp>
#include <weft/ops/activation.hpp>

namespace weft::test {
namespace {

double within(double x, double low, double high) { return std::isnan(x) ? x : std::clamp(x, low, high); }

}  // namespace

void add_activation_rows(std::vector<OpRow>& rows) {
  Rows to{rows};
  using T = const Tensor&;
  to.unary(
        "relu", [](T a) { return relu(a); }, [](double x) { return x < 0 ? 0 : x; }, apart)
      .integers = true;
  to.unary(
        "relu6", [](T a) { return relu6(a); }, [](double x) { return within(x, 0, 6); }, apart)
      .integers = true;
  with_integers(to.unary(
      "hardtanh", [](T a) { return hardtanh(a); }, [](double x) { return within(x, -1, 1); }, apart));
  variant(
      to.unary(
          "hardtanh", [](T a) { return hardtanh(a, -0.5, 0.6); }, [](double x) { return within(x, -0.5, 0.6); }, apart),
      "-0.5 to 0.6");
  to.unary(
      "leaky_relu", [](T a) { return leaky_relu(a); }, [](double x) { return x > 0 ? x : 0.01 * x; }, apart);
  variant(
      to.unary(
          "leaky_relu", [](T a) { return leaky_relu(a, 0.3); }, [](double x) { return x > 0 ? x : 0.3 * x; }, apart),
      "0.3");
  const auto below = [](double alpha, double scale, double stretch) {
    return [=](double x) { return x <= 0 ? scale * alpha * std::expm1(stretch * x) : scale * x; };
  };
  to.unary(
      "elu", [](T a) { return elu(a); }, below(1, 1, 1), apart);
  variant(to.unary(
              "elu", [](T a) { return elu(a, 0.7); }, below(0.7, 1, 1), apart),
          "0.7");
  to.unary(
      "selu", [](T a) { return selu(a); }, below(1.6732632423543772, 1.0507009873554805, 1), apart);
  to.unary(
      "celu", [](T a) { return celu(a); }, below(1, 1, 1), apart);
  variant(to.unary(
              "celu", [](T a) { return celu(a, 0.7); }, below(0.7, 1, 1 / 0.7), apart),
          "0.7");

  to.unary(
      "softplus", [](T a) { return softplus(a); },
      [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))) + (std::isnan(x) ? x : 0); });
  to.unary(
      "log_sigmoid", [](T a) { return log_sigmoid(a); },
      [](double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))) + (std::isnan(x) ? x : 0); });
  to.unary(
      "softsign", [](T a) { return softsign(a); }, [](double x) { return x / (1 + std::abs(x)); }, apart);
  // Minus infinity times a probability of zero is nan, as in PyTorch: no special values for gelu.
  to.unary(
        "gelu", [](T a) { return gelu(a); }, [](double x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2)); })
      .non_finite = false;
  variant(to.unary(
              "gelu", [](T a) { return gelu(a, GeluForm::tanh); },
              [](double x) {
                return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
              }),
          "tanh")
      .non_finite = false;
  to.unary(
      "silu", [](T a) { return silu(a); }, [](double x) { return x / (1 + std::exp(-x)); });
  to.unary(
      "mish", [](T a) { return mish(a); }, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); });
  to.unary(
      "hardsigmoid", [](T a) { return hardsigmoid(a); }, [](double x) { return within(x + 3, 0, 6) / 6; }, apart);
  to.unary(
      "hardswish", [](T a) { return hardswish(a); }, [](double x) { return x * (within(x + 3, 0, 6) / 6); }, apart);
}

}  // namespace weft::test

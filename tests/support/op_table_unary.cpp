// Rows of functions of one tensor and of atan2.
#include <cmath>

#include <tests/support/elementwise_rows.hpp>
#include <weft/ops/unary.hpp>

namespace weft::test {

void add_unary_rows(std::vector<OpRow>& rows) {
  Rows to{rows};
  using T = const Tensor&;
  to.unary(
        "square", [](T a) { return square(a); }, [](double x) { return x * x; })
      .integers = true;
  to.unary(
      "sqrt", [](T a) { return sqrt(a); }, [](double x) { return std::sqrt(x); }, positive);
  to.unary(
      "rsqrt", [](T a) { return rsqrt(a); }, [](double x) { return 1 / std::sqrt(x); }, positive);
  to.unary(
      "reciprocal", [](T a) { return reciprocal(a); }, [](double x) { return 1 / x; }, positive);
  to.unary(
      "exp", [](T a) { return exp(a); }, [](double x) { return std::exp(x); });
  to.unary(
      "exp2", [](T a) { return exp2(a); }, [](double x) { return std::exp2(x); });
  to.unary(
      "expm1", [](T a) { return expm1(a); }, [](double x) { return std::expm1(x); });
  to.unary(
      "log", [](T a) { return log(a); }, [](double x) { return std::log(x); }, positive);
  to.unary(
      "log2", [](T a) { return log2(a); }, [](double x) { return std::log2(x); }, positive);
  to.unary(
      "log10", [](T a) { return log10(a); }, [](double x) { return std::log10(x); }, positive);
  to.unary(
      "log1p", [](T a) { return log1p(a); }, [](double x) { return std::log1p(x); }, positive);
  to.unary(
      "sigmoid", [](T a) { return sigmoid(a); }, [](double x) { return 1 / (1 + std::exp(-x)); });
  to.unary(
      "erf", [](T a) { return erf(a); }, [](double x) { return std::erf(x); });
  to.unary(
      "erfc", [](T a) { return erfc(a); }, [](double x) { return std::erfc(x); });

  to.unary(
      "sin", [](T a) { return sin(a); }, [](double x) { return std::sin(x); });
  to.unary(
      "cos", [](T a) { return cos(a); }, [](double x) { return std::cos(x); });
  to.unary(
      "tan", [](T a) { return tan(a); }, [](double x) { return std::tan(x); }, {Domain::uniform, -1.2, 1.2});
  const Domain inside = {Domain::uniform, -0.9, 0.9};
  to.unary(
      "asin", [](T a) { return asin(a); }, [](double x) { return std::asin(x); }, inside);
  to.unary(
      "acos", [](T a) { return acos(a); }, [](double x) { return std::acos(x); }, inside);
  to.unary(
      "atan", [](T a) { return atan(a); }, [](double x) { return std::atan(x); });
  to.binary(
      "atan2", [](T a, T b) { return atan2(a, b); }, [](double a, double b) { return std::atan2(a, b); }, apart, apart);
  to.unary(
      "sinh", [](T a) { return sinh(a); }, [](double x) { return std::sinh(x); });
  to.unary(
      "cosh", [](T a) { return cosh(a); }, [](double x) { return std::cosh(x); });
  to.unary(
      "tanh", [](T a) { return tanh(a); }, [](double x) { return std::tanh(x); });
  to.unary(
      "asinh", [](T a) { return asinh(a); }, [](double x) { return std::asinh(x); });
  to.unary(
      "acosh", [](T a) { return acosh(a); }, [](double x) { return std::acosh(x); }, {Domain::uniform, 1.1, 4});
  to.unary(
      "atanh", [](T a) { return atanh(a); }, [](double x) { return std::atanh(x); }, inside);

  to.unary(
        "abs", [](T a) { return abs(a); }, [](double x) { return std::abs(x); }, apart)
      .integers = true;
  to.unary(
        "sign", [](T a) { return sign(a); }, [](double x) { return (x > 0 ? 1 : 0) - (x < 0 ? 1 : 0); }, apart)
      .integers = true;
  to.unary(
        "floor", [](T a) { return floor(a); }, [](double x) { return std::floor(x); }, apart)
      .integers = true;
  to.unary(
        "ceil", [](T a) { return ceil(a); }, [](double x) { return std::ceil(x); }, apart)
      .integers = true;
  to.unary(
        "round", [](T a) { return round(a); }, [](double x) { return std::nearbyint(x); }, apart)
      .integers = true;
  to.unary(
        "trunc", [](T a) { return trunc(a); }, [](double x) { return std::trunc(x); }, apart)
      .integers = true;
}

}  // namespace weft::test

#include <weft/ops/arithmetic.hpp>

#include <weft/ops/detail/formulas.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the op structs

Tensor add(const Tensor& a, const Tensor& b) { return apply<Add>(a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return apply<Sub>(a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return apply<Mul>(a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return apply<Div>(a, b); }
Tensor add(const Tensor& a, double b) { return apply<AddScalar>(a, b); }
Tensor mul(const Tensor& a, double b) { return apply<MulScalar>(a, b); }
Tensor div(const Tensor& a, double b) { return apply<DivScalar>(a, b); }
Tensor sub(double a, const Tensor& b) { return apply<SubFromScalar>(b, a); }
Tensor div(double a, const Tensor& b) { return apply<DivideScalar>(b, a); }
Tensor neg(const Tensor& a) { return apply<Neg>(a); }
Tensor pow(const Tensor& a, const Tensor& b) { return apply<Pow>(a, b); }
Tensor pow(const Tensor& a, double exponent) { return apply<PowScalar>(a, exponent); }
Tensor maximum(const Tensor& a, const Tensor& b) { return apply<Maximum>(a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return apply<Minimum>(a, b); }

Tensor clamp(const Tensor& a, double low, double high) {
  if (!(low <= high)) fail("clamp: got low ", low, " and high ", high, ", needs low <= high");
  return apply<Clamp>(a, low, high);
}

}  // namespace weft

#include <weft/ops/arithmetic.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/number.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/arithmetic.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the op structs

Tensor add(const Tensor& a, const Tensor& b) { return apply(Add{}, a, b); }
Tensor sub(const Tensor& a, const Tensor& b) { return apply(Sub{}, a, b); }
Tensor mul(const Tensor& a, const Tensor& b) { return apply(Mul{}, a, b); }
Tensor div(const Tensor& a, const Tensor& b) { return apply(Div{}, a, b); }
Tensor add(const Tensor& a, double b) {
  check_number("add", a, b);
  return apply(AddScalar{b}, a);
}
Tensor sub(const Tensor& a, double b) {
  if (is_floating(a.dtype())) return apply(AddScalar{-b}, a);
  check_number("sub", a, b);
  return apply(Sub{}, a, scalar(b, a.dtype()));
}
Tensor mul(const Tensor& a, double b) {
  check_number("mul", a, b);
  return apply(MulScalar{b}, a);
}
Tensor div(const Tensor& a, double b) { return apply(DivScalar{b}, a); }
Tensor sub(double a, const Tensor& b) {
  check_number("sub", b, a);
  return apply(SubFromScalar{a}, b);
}
Tensor div(double a, const Tensor& b) { return apply(DivideScalar{a}, b); }
Tensor neg(const Tensor& a) { return apply(Neg{}, a); }
Tensor squared_difference(const Tensor& a, const Tensor& b) { return apply(SquaredDifference{}, a, b); }
Tensor pow(const Tensor& a, const Tensor& b) { return apply(Pow{}, a, b); }
Tensor pow(const Tensor& a, double exponent) { return apply(PowScalar{exponent}, a); }
Tensor pow(double a, const Tensor& exponent) { return apply(Pow{}, scalar(a, exponent.dtype()), exponent); }

Expr add(const Expr& a, const Expr& b) { return apply(Add{}, a, b); }
Expr sub(const Expr& a, const Expr& b) { return apply(Sub{}, a, b); }
Expr mul(const Expr& a, const Expr& b) { return apply(Mul{}, a, b); }
Expr div(const Expr& a, const Expr& b) { return apply(Div{}, a, b); }
Expr neg(const Expr& a) { return apply(Neg{}, a); }
Expr squared_difference(const Expr& a, const Expr& b) { return apply(SquaredDifference{}, a, b); }
Expr pow(const Expr& a, const Expr& b) { return apply(Pow{}, a, b); }
Expr pow(const Expr& a, double exponent) { return apply(PowScalar{exponent}, a); }

Tensor& detail::rebind(const char* op, Tensor& a, Tensor value) {
  if (a.is_leaf() && a.requires_grad())
    fail("operator", op, ": got a leaf of shape ", a.shape(),
         " that requires a gradient, needs add_, sub_, mul_ or copy_ under NoGrad: it would be another tensor");
  return a = std::move(value);
}

}  // namespace weft

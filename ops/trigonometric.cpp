// The functions of angles, circular and hyperbolic, of unary.hpp: apart, since formulas take their time to compile.
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/detail/formulas/trigonometric.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the formulas

Tensor sin(const Tensor& x) { return apply(Sin{}, x); }
Tensor cos(const Tensor& x) { return apply(Cos{}, x); }
Tensor tan(const Tensor& x) { return apply(Tan{}, x); }
Tensor asin(const Tensor& x) { return apply(Asin{}, x); }
Tensor acos(const Tensor& x) { return apply(Acos{}, x); }
Tensor atan(const Tensor& x) { return apply(Atan{}, x); }
Tensor sinh(const Tensor& x) { return apply(Sinh{}, x); }
Tensor cosh(const Tensor& x) { return apply(Cosh{}, x); }
Tensor tanh(const Tensor& x) { return apply(Tanh{}, x); }
Tensor asinh(const Tensor& x) { return apply(Asinh{}, x); }
Tensor acosh(const Tensor& x) { return apply(Acosh{}, x); }
Tensor atanh(const Tensor& x) { return apply(Atanh{}, x); }
Tensor atan2(const Tensor& y, const Tensor& x) { return apply(Atan2{}, y, x); }

Expr sin(const Expr& x) { return apply(Sin{}, x); }
Expr cos(const Expr& x) { return apply(Cos{}, x); }
Expr tan(const Expr& x) { return apply(Tan{}, x); }
Expr asin(const Expr& x) { return apply(Asin{}, x); }
Expr acos(const Expr& x) { return apply(Acos{}, x); }
Expr atan(const Expr& x) { return apply(Atan{}, x); }
Expr sinh(const Expr& x) { return apply(Sinh{}, x); }
Expr cosh(const Expr& x) { return apply(Cosh{}, x); }
Expr tanh(const Expr& x) { return apply(Tanh{}, x); }
Expr asinh(const Expr& x) { return apply(Asinh{}, x); }
Expr acosh(const Expr& x) { return apply(Acosh{}, x); }
Expr atanh(const Expr& x) { return apply(Atanh{}, x); }
Expr atan2(const Expr& y, const Expr& x) { return apply(Atan2{}, y, x); }

}  // namespace weft

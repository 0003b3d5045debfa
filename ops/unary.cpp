#include <weft/ops/unary.hpp>

#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the op structs

Tensor square(const Tensor& x) { return apply(Square{}, x); }
Tensor sqrt(const Tensor& x) { return apply(Sqrt{}, x); }
Tensor exp(const Tensor& x) { return apply(Exp{}, x); }
Tensor log(const Tensor& x) { return apply(Log{}, x); }
Tensor log1p(const Tensor& x) { return apply(Log1p{}, x); }
Tensor sin(const Tensor& x) { return apply(Sin{}, x); }
Tensor cos(const Tensor& x) { return apply(Cos{}, x); }
Tensor tanh(const Tensor& x) { return apply(Tanh{}, x); }
Tensor sigmoid(const Tensor& x) { return apply(Sigmoid{}, x); }
Tensor erf(const Tensor& x) { return apply(Erf{}, x); }
Tensor abs(const Tensor& x) { return apply(Abs{}, x); }
Tensor relu(const Tensor& x) { return apply(Relu{}, x); }
Tensor softplus(const Tensor& x) { return apply(Softplus{}, x); }
Tensor gelu(const Tensor& x, GeluForm form) {
  return form == GeluForm::exact ? apply(Gelu{}, x) : apply(GeluTanh{}, x);
}

Expr square(const Expr& x) { return apply(Square{}, x); }
Expr sqrt(const Expr& x) { return apply(Sqrt{}, x); }
Expr exp(const Expr& x) { return apply(Exp{}, x); }
Expr log(const Expr& x) { return apply(Log{}, x); }
Expr log1p(const Expr& x) { return apply(Log1p{}, x); }
Expr sin(const Expr& x) { return apply(Sin{}, x); }
Expr cos(const Expr& x) { return apply(Cos{}, x); }
Expr tanh(const Expr& x) { return apply(Tanh{}, x); }
Expr sigmoid(const Expr& x) { return apply(Sigmoid{}, x); }
Expr erf(const Expr& x) { return apply(Erf{}, x); }
Expr abs(const Expr& x) { return apply(Abs{}, x); }
Expr relu(const Expr& x) { return apply(Relu{}, x); }
Expr softplus(const Expr& x) { return apply(Softplus{}, x); }
Expr gelu(const Expr& x, GeluForm form) { return form == GeluForm::exact ? apply(Gelu{}, x) : apply(GeluTanh{}, x); }

}  // namespace weft

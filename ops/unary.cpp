#include <weft/ops/unary.hpp>

#include <weft/engine/create.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the formulas

Tensor square(const Tensor& x) { return apply(Square{}, x); }
Tensor sqrt(const Tensor& x) { return apply(Sqrt{}, x); }
Tensor rsqrt(const Tensor& x) { return apply(Rsqrt{}, x); }
Tensor reciprocal(const Tensor& x) { return apply(Reciprocal{}, x); }
Tensor exp(const Tensor& x) { return apply(Exp{}, x); }
Tensor exp2(const Tensor& x) { return apply(Exp2{}, x); }
Tensor expm1(const Tensor& x) { return apply(Expm1{}, x); }
Tensor log(const Tensor& x) { return apply(Log{}, x); }
Tensor log2(const Tensor& x) { return apply(Log2{}, x); }
Tensor log10(const Tensor& x) { return apply(Log10{}, x); }
Tensor log1p(const Tensor& x) { return apply(Log1p{}, x); }
Tensor sigmoid(const Tensor& x) { return apply(Sigmoid{}, x); }
Tensor erf(const Tensor& x) { return apply(Erf{}, x); }
Tensor erfc(const Tensor& x) { return apply(Erfc{}, x); }
Tensor abs(const Tensor& x) { return apply(Abs{}, x); }
Tensor sign(const Tensor& x) { return apply(Sign{}, x); }
Tensor floor(const Tensor& x) { return apply(Floor{}, x); }
Tensor ceil(const Tensor& x) { return apply(Ceil{}, x); }
Tensor round(const Tensor& x) { return apply(Round{}, x); }
Tensor trunc(const Tensor& x) { return apply(Trunc{}, x); }

Expr square(const Expr& x) { return apply(Square{}, x); }
Expr sqrt(const Expr& x) { return apply(Sqrt{}, x); }
Expr rsqrt(const Expr& x) { return apply(Rsqrt{}, x); }
Expr reciprocal(const Expr& x) { return apply(Reciprocal{}, x); }
Expr exp(const Expr& x) { return apply(Exp{}, x); }
Expr exp2(const Expr& x) { return apply(Exp2{}, x); }
Expr expm1(const Expr& x) { return apply(Expm1{}, x); }
Expr log(const Expr& x) { return apply(Log{}, x); }
Expr log2(const Expr& x) { return apply(Log2{}, x); }
Expr log10(const Expr& x) { return apply(Log10{}, x); }
Expr log1p(const Expr& x) { return apply(Log1p{}, x); }
Expr sigmoid(const Expr& x) { return apply(Sigmoid{}, x); }
Expr erf(const Expr& x) { return apply(Erf{}, x); }
Expr erfc(const Expr& x) { return apply(Erfc{}, x); }
Expr abs(const Expr& x) { return apply(Abs{}, x); }
Expr sign(const Expr& x) { return apply(Sign{}, x); }
Expr floor(const Expr& x) { return apply(Floor{}, x); }
Expr ceil(const Expr& x) { return apply(Ceil{}, x); }
Expr round(const Expr& x) { return apply(Round{}, x); }
Expr trunc(const Expr& x) { return apply(Trunc{}, x); }

}  // namespace weft

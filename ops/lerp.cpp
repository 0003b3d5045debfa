// lerp, of arithmetic.hpp: apart, since formulas of three operands take their time to compile.
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/arithmetic.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the formulas

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& t) { return apply(Lerp{}, a, b, t); }
Tensor lerp(const Tensor& a, const Tensor& b, double t) { return apply(LerpNumber{t}, a, b); }
Expr lerp(const Expr& a, const Expr& b, const Expr& t) { return apply(Lerp{}, a, b, t); }

}  // namespace weft

#include <weft/ops/unary.hpp>

#include <weft/ops/detail/formulas.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the op structs

Tensor square(const Tensor& x) { return apply<Square>(x); }
Tensor sqrt(const Tensor& x) { return apply<Sqrt>(x); }
Tensor exp(const Tensor& x) { return apply<Exp>(x); }
Tensor log(const Tensor& x) { return apply<Log>(x); }
Tensor log1p(const Tensor& x) { return apply<Log1p>(x); }
Tensor sin(const Tensor& x) { return apply<Sin>(x); }
Tensor cos(const Tensor& x) { return apply<Cos>(x); }
Tensor tanh(const Tensor& x) { return apply<Tanh>(x); }
Tensor sigmoid(const Tensor& x) { return apply<Sigmoid>(x); }
Tensor erf(const Tensor& x) { return apply<Erf>(x); }
Tensor abs(const Tensor& x) { return apply<Abs>(x); }
Tensor relu(const Tensor& x) { return apply<Relu>(x); }
Tensor softplus(const Tensor& x) { return apply<Softplus>(x); }
Tensor gelu(const Tensor& x, GeluForm form) { return form == GeluForm::exact ? apply<Gelu>(x) : apply<GeluTanh>(x); }

}  // namespace weft

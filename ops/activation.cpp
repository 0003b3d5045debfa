#include <weft/ops/activation.hpp>

#include <memory>

#include <weft/engine/detail/recipe.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/detail/formulas/activation.hpp>
#include <weft/ops/unary.hpp>

namespace weft {

using namespace detail;  // NOLINT(google-build-using-namespace): the formulas

namespace {

Hardtanh checked_hardtanh(double low, double high) {
  if (!(low <= high)) fail("hardtanh: got low ", low, " and high ", high, ", needs low <= high");
  return {low, high};
}
Celu checked_celu(double alpha) {
  if (alpha == 0) fail("celu: got alpha 0, needs another number");
  return {{alpha, 1, 1 / alpha}};
}
constexpr Selu self_normalizing{{1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1}};

}  // namespace

Tensor hardtanh(const Tensor& x, double low, double high) {
  const Hardtanh formula = checked_hardtanh(low, high);
  return is_floating(x.dtype()) ? apply(formula, x) : clamp(x, low, high);  // which has no gradient there
}
Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }
Tensor leaky_relu(const Tensor& x, double slope) { return apply(LeakyRelu{slope}, x); }
Tensor elu(const Tensor& x, double alpha) { return apply(Elu{alpha}, x); }
Tensor selu(const Tensor& x) { return apply(self_normalizing, x); }
Tensor celu(const Tensor& x, double alpha) { return apply(checked_celu(alpha), x); }
Tensor relu(const Tensor& x) {
  Tensor y = apply(Relu{}, x);
  if (uses_recipes())
    if (auto before = recipe_of(x))
      note_recipe(y, std::make_shared<Recipe>("relu", std::move(before),
                                              [](const Tensors& from) { return apply(Relu{}, from[0]); }));
  return y;
}
Tensor softplus(const Tensor& x) { return apply(Softplus{}, x); }
Tensor log_sigmoid(const Tensor& x) { return apply(LogSigmoid{}, x); }
Tensor softsign(const Tensor& x) { return apply(Softsign{}, x); }
Tensor silu(const Tensor& x) { return apply(Silu{}, x); }
Tensor mish(const Tensor& x) { return apply(Mish{}, x); }
Tensor hardsigmoid(const Tensor& x) { return apply(Hardsigmoid{}, x); }
Tensor hardswish(const Tensor& x) { return apply(Hardswish{}, x); }
Tensor gelu(const Tensor& x, GeluForm form) {
  return form == GeluForm::exact ? apply(Gelu{}, x) : apply(GeluTanh{}, x);
}

Expr hardtanh(const Expr& x, double low, double high) { return apply(checked_hardtanh(low, high), x); }
Expr relu6(const Expr& x) { return hardtanh(x, 0, 6); }
Expr leaky_relu(const Expr& x, double slope) { return apply(LeakyRelu{slope}, x); }
Expr elu(const Expr& x, double alpha) { return apply(Elu{alpha}, x); }
Expr selu(const Expr& x) { return apply(self_normalizing, x); }
Expr celu(const Expr& x, double alpha) { return apply(checked_celu(alpha), x); }
Expr relu(const Expr& x) { return apply(Relu{}, x); }
Expr softplus(const Expr& x) { return apply(Softplus{}, x); }
Expr log_sigmoid(const Expr& x) { return apply(LogSigmoid{}, x); }
Expr softsign(const Expr& x) { return apply(Softsign{}, x); }
Expr silu(const Expr& x) { return apply(Silu{}, x); }
Expr mish(const Expr& x) { return apply(Mish{}, x); }
Expr hardsigmoid(const Expr& x) { return apply(Hardsigmoid{}, x); }
Expr hardswish(const Expr& x) { return apply(Hardswish{}, x); }
Expr gelu(const Expr& x, GeluForm form) { return form == GeluForm::exact ? apply(Gelu{}, x) : apply(GeluTanh{}, x); }

}  // namespace weft

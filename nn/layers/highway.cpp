#include <weft/nn/layers/highway.hpp>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/unary.hpp>

namespace weft::nn {

Highway::Highway(ModulePtr of, std::int64_t features, double gate_bias)
    : body{this, "body", std::move(of)}, gate{this, "gate", features, features} {
  const NoGrad off;
  gate->bias.fill_(gate_bias);
}

Tensor Highway::forward(const Tensor& x) {
  const Tensor y = body(x);
  detail::check_kept("Highway", x, y);
  return lerp(x, y, sigmoid(gate(x)));
}

}  // namespace weft::nn

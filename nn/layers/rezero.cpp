#include <weft/nn/layers/rezero.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/arithmetic.hpp>

namespace weft::nn {

ReZero::ReZero(ModulePtr of) : body{this, "body", std::move(of)}, scale{this, "scale", zeros({})} {}

Tensor ReZero::forward(const Tensor& x) {
  const Tensor y = body(x);
  detail::check_kept("ReZero", x, y);
  return x + scale * y;
}

}  // namespace weft::nn

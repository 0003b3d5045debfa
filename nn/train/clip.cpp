#include <weft/nn/train/clip.hpp>

#include <cmath>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>

namespace weft::nn {

double clip_grad_norm(const Tensors& parameters, double max, double p) {
  detail::check_above_zero("clip_grad_norm", "max", max);
  if (!(p > 0)) fail("clip_grad_norm: got p = ", p, ", needs p > 0");
  const NoGrad off;
  double total = 0;
  for (const Tensor& parameter : parameters) {
    if (!parameter.grad().defined()) continue;
    const double part = norm(parameter.grad(), {}, false, p).item();
    if (std::isinf(p))
      total = part > total || std::isnan(part) ? part : total;
    else
      total += std::pow(part, p);
  }
  if (!std::isinf(p)) total = std::pow(total, 1 / p);
  if (!std::isfinite(total) || total <= max) return total;
  for (const Tensor& parameter : parameters) {
    Tensor g = parameter.grad();
    if (g.defined()) g.mul_(max / (total + 1e-6));  // as in PyTorch
  }
  return total;
}

void clip_grad_value(const Tensors& parameters, double max) {
  detail::check_above_zero("clip_grad_value", "max", max);
  const NoGrad off;
  for (const Tensor& parameter : parameters) {
    Tensor g = parameter.grad();
    if (g.defined()) g.copy_(clamp(g, -max, max));
  }
}

}  // namespace weft::nn

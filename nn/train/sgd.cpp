#include <weft/nn/train/sgd.hpp>

#include <algorithm>

#include <weft/nn/detail/checks.hpp>
#include <weft/nn/train/detail/elements.hpp>

namespace weft::nn {

// Needed only where some group has momentum.
std::vector<std::string> Sgd::slots(const std::vector<SgdOptions>& groups) {
  const bool any = std::any_of(groups.begin(), groups.end(), [](const SgdOptions& o) { return o.momentum != 0; });
  return any ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
}

void Sgd::check(const SgdOptions& o) {
  detail::check_not_negative(name, "momentum", o.momentum);
  detail::check_penalties(name, o);
  if (!std::isfinite(o.dampening)) fail(name, ": got dampening ", o.dampening, ", needs a finite number");
}

void Sgd::check_together(const SgdOptions& o) {
  if (o.nesterov && (o.momentum == 0 || o.dampening != 0))
    fail(name, ": got nesterov with momentum ", o.momentum, " and dampening ", o.dampening,
         ", needs momentum and no dampening");
}

void Sgd::update(Tensor& p, const Tensor& g, Tensors& slots, const SgdOptions& o, std::int64_t step) {
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T lr = static_cast<T>(o.lr), decay = static_cast<T>(o.weight_decay), momentum = static_cast<T>(o.momentum);
    const T pull = static_cast<T>(o.lr * o.l1);
    const T keep = step == 1 ? T{0} : momentum, take = step == 1 ? T{1} : static_cast<T>(1.0 - o.dampening);
    if (momentum == 0)
      detail::each_element<T>([=](T& x, T d) { x = detail::shrunk(x - lr * (d + decay * x), pull); }, p, g);
    else if (o.nesterov)
      detail::each_element<T>(
          [=](T& x, T d, T& buffer) {
            d += decay * x;
            buffer = keep * buffer + take * d;
            x = detail::shrunk(x - lr * (d + momentum * buffer), pull);
          },
          p, g, slots[0]);
    else
      detail::each_element<T>(
          [=](T& x, T d, T& buffer) {
            buffer = keep * buffer + take * (d + decay * x);
            x = detail::shrunk(x - lr * buffer, pull);
          },
          p, g, slots[0]);
  });
}

}  // namespace weft::nn

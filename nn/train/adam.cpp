#include <weft/nn/train/adam.hpp>

#include <cmath>

#include <weft/nn/detail/checks.hpp>
#include <weft/nn/train/detail/elements.hpp>

namespace weft::nn {

template <bool decoupled>
void BasicAdam<decoupled>::check(const Options& o) {
  detail::check_fraction(name, "beta1", o.beta1);
  detail::check_fraction(name, "beta2", o.beta2);
  detail::check_not_negative(name, "eps", o.eps);
  detail::check_penalties(name, o);
}

template <bool decoupled>
void BasicAdam<decoupled>::update(Tensor& p, const Tensor& g, Tensors& slots, const Options& o, std::int64_t step) {
  const double correction1 = 1.0 - std::pow(o.beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(o.beta2, static_cast<double>(step));
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T rate = static_cast<T>(o.lr / correction1), scale = static_cast<T>(1.0 / std::sqrt(correction2));
    const T b1 = static_cast<T>(o.beta1), b2 = static_cast<T>(o.beta2), eps = static_cast<T>(o.eps);
    const T c1 = static_cast<T>(1.0 - o.beta1), c2 = static_cast<T>(1.0 - o.beta2);
    const T shrink = static_cast<T>(decoupled ? 1.0 - o.lr * o.weight_decay : 1.0);
    const T decay = static_cast<T>(decoupled ? 0.0 : o.weight_decay);
    const T pull = static_cast<T>(o.lr * o.l1);
    detail::each_element<T>(
        [=](T& x, T d, T& mean, T& square) {
          d += decay * x;
          mean = b1 * mean + c1 * d;
          square = b2 * square + c2 * d * d;
          x = detail::shrunk(shrink * x - rate * mean / (std::sqrt(square) * scale + eps), pull);
        },
        p, g, slots[0], slots[1]);
  });
}

template class BasicAdam<false>;
template class BasicAdam<true>;

}  // namespace weft::nn

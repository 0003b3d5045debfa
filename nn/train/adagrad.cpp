#include <weft/nn/train/adagrad.hpp>

#include <cmath>

#include <weft/nn/detail/checks.hpp>
#include <weft/nn/train/detail/elements.hpp>

namespace weft::nn {

void Adagrad::check(const AdagradOptions& o) {
  detail::check_not_negative(name, "lr_decay", o.lr_decay);
  detail::check_not_negative(name, "initial_accumulator", o.initial_accumulator);
  detail::check_not_negative(name, "eps", o.eps);
  detail::check_penalties(name, o);
}

void Adagrad::update(Tensor& p, const Tensor& g, Tensors& slots, const AdagradOptions& o, std::int64_t step) {
  const double rate = o.lr / (1.0 + static_cast<double>(step - 1) * o.lr_decay);
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T lr = static_cast<T>(rate), decay = static_cast<T>(o.weight_decay), eps = static_cast<T>(o.eps);
    const T first = static_cast<T>(step == 1 ? o.initial_accumulator : 0.0), pull = static_cast<T>(rate * o.l1);
    detail::each_element<T>(
        [=](T& x, T d, T& sum) {
          d += decay * x;
          sum += first + d * d;
          x = detail::shrunk(x - lr * d / (std::sqrt(sum) + eps), pull);
        },
        p, g, slots[0]);
  });
}

}  // namespace weft::nn

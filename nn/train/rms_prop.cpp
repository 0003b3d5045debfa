#include <weft/nn/train/rms_prop.hpp>

#include <algorithm>
#include <cmath>

#include <weft/nn/detail/checks.hpp>
#include <weft/nn/train/detail/elements.hpp>

namespace weft::nn {

// In this order, those that some group needs: what is centred has its mean second, what has momentum that last.
std::vector<std::string> RmsProp::slots(const std::vector<RmsPropOptions>& groups) {
  const auto any = [&](auto needs) { return std::any_of(groups.begin(), groups.end(), needs); };
  std::vector<std::string> names = {"square"};
  if (any([](const RmsPropOptions& o) { return o.centered; })) names.emplace_back("mean");
  if (any([](const RmsPropOptions& o) { return o.momentum != 0; })) names.emplace_back("momentum");
  return names;
}

void RmsProp::check(const RmsPropOptions& o) {
  detail::check_fraction(name, "alpha", o.alpha);
  detail::check_not_negative(name, "eps", o.eps);
  detail::check_not_negative(name, "momentum", o.momentum);
  detail::check_penalties(name, o);
}

void RmsProp::update(Tensor& p, const Tensor& g, Tensors& slots, const RmsPropOptions& o, std::int64_t) {
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T lr = static_cast<T>(o.lr), alpha = static_cast<T>(o.alpha), rest = static_cast<T>(1.0 - o.alpha);
    const T eps = static_cast<T>(o.eps), decay = static_cast<T>(o.weight_decay);
    const T momentum = static_cast<T>(o.momentum), pull = static_cast<T>(o.lr * o.l1);
    // The gradient over its usual size: over its deviation where its mean is kept.
    const auto scaled = [=](T x, T d, T& square, auto&... mean) {
      d += decay * x;
      square = alpha * square + rest * d * d;
      T spread = square;
      ((mean = alpha * mean + rest * d, spread = std::max(square - mean * mean, T{0})), ...);
      return d / (std::sqrt(spread) + eps);
    };
    // By a step of its own, or with momentum.
    const auto update = [&](auto&... statistics) {
      if (o.momentum == 0)
        detail::each_element<T>([=](T& x, T d, auto&... s) { x = detail::shrunk(x - lr * scaled(x, d, s...), pull); },
                                p, g, statistics...);
      else
        detail::each_element<T>(
            [=](T& x, T d, T& buffer, auto&... s) {
              buffer = momentum * buffer + scaled(x, d, s...);
              x = detail::shrunk(x - lr * buffer, pull);
            },
            p, g, slots.back(), statistics...);
    };
    if (o.centered)
      update(slots[0], slots[1]);
    else
      update(slots[0]);
  });
}

}  // namespace weft::nn

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
  detail::check_not_negative(name, "weight_decay", o.weight_decay);
  detail::check_not_negative(name, "momentum", o.momentum);
  detail::check_not_negative(name, "l1", o.l1);
}

void RmsProp::update(Tensor& p, const Tensor& g, Tensors& slots, const RmsPropOptions& o, std::int64_t) {
  detail::visit_floating(p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T lr = static_cast<T>(o.lr), alpha = static_cast<T>(o.alpha), rest = static_cast<T>(1.0 - o.alpha);
    const T eps = static_cast<T>(o.eps), decay = static_cast<T>(o.weight_decay);
    const T momentum = static_cast<T>(o.momentum), pull = static_cast<T>(o.lr * o.l1);
    // The gradient over its usual size.
    const auto scaled = [=](T x, T d, T& square) {
      d += decay * x;
      square = alpha * square + rest * d * d;
      return d / (std::sqrt(square) + eps);
    };
    const auto centred = [=](T x, T d, T& square, T& mean) {
      d += decay * x;
      square = alpha * square + rest * d * d;
      mean = alpha * mean + rest * d;
      return d / (std::sqrt(std::max(square - mean * mean, T{0})) + eps);
    };
    const auto move = [=](T& x, T by) { x = detail::shrunk(x - lr * by, pull); };
    const auto carry = [=](T& x, T by, T& buffer) { move(x, buffer = momentum * buffer + by); };
    if (o.centered && o.momentum != 0)
      detail::each_element<T>([=](T& x, T d, T& s, T& mean, T& buffer) { carry(x, centred(x, d, s, mean), buffer); }, p,
                              g, slots[0], slots[1], slots.back());
    else if (o.centered)
      detail::each_element<T>([=](T& x, T d, T& s, T& mean) { move(x, centred(x, d, s, mean)); }, p, g, slots[0],
                              slots[1]);
    else if (o.momentum != 0)
      detail::each_element<T>([=](T& x, T d, T& s, T& buffer) { carry(x, scaled(x, d, s), buffer); }, p, g, slots[0],
                              slots.back());
    else
      detail::each_element<T>([=](T& x, T d, T& s) { move(x, scaled(x, d, s)); }, p, g, slots[0]);
  });
}

}  // namespace weft::nn

#pragma once
// The loop of an optimiser's update.
#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/tensor.hpp>

#include <algorithm>
#include <cmath>

namespace weft::detail {

/// The proximal step of a penalty |x|: x moved towards 0 by `pull`, and not past it, so that small weights become
/// exactly 0 (Parikh and Boyd, Proximal Algorithms, 2014, 6.5.2).
template <class T>
T shrunk(T x, T pull) {
  return std::copysign(std::max(std::abs(x) - pull, T{0}), x);
}

/// Calls change(x, d, s...) with each element of a parameter p, of its gradient g and of its state tensors, all of type
/// T; it may change all but the gradient. `change` holds numbers only: each thread works with a copy of its own, which
/// the compiler keeps in registers.
template <class T, class F, class... Slots>
void each_element(const F& change, Tensor& p, const Tensor& g, Slots&... slots) {
  const auto pass = [change](std::int64_t begin, std::int64_t end, T* __restrict x, const T* __restrict d,
                             auto* __restrict... s) {
    const F f = change;
    for (std::int64_t i = begin; i < end; ++i) f(x[i], d[i], s[i]...);
  };
  const auto run = [&](T* x, const T* d, auto*... s) {
    parallel_for(p.size(), grain_for(1), [=](std::int64_t begin, std::int64_t end) { pass(begin, end, x, d, s...); });
  };
  run(p.mutable_data<T>().data(), g.data<T>().data(), slots.template mutable_data<T>().data()...);
}

}  // namespace weft::detail

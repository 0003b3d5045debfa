#pragma once
// Elementwise functions of the user's own, in one pass over memory and with derivatives that nobody writes.
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/unary.hpp>

#include <concepts>
#include <utility>

namespace weft {

namespace detail {

class FusedProgram;

/// A function written down.
class FusedFunction {
 public:
  /// `write` is called once, with that many inputs.
  FusedFunction(int inputs, const std::function<Expr(const std::vector<Expr>&)>& write);
  Tensor operator()(const Tensors& inputs) const;

 private:
  std::shared_ptr<const FusedProgram> program_;
};

// How many values F takes, 1 to 8; 0: none of these.
template <class F, class... E>
constexpr int count_arguments() {
  if constexpr (sizeof...(E) > 8)
    return 0;
  else if constexpr (sizeof...(E) > 0 && std::invocable<F, E...>)
    return static_cast<int>(sizeof...(E));
  else
    return count_arguments<F, E..., Expr>();
}

}  // namespace detail

/// An elementwise function as one op: fused([](auto a, auto b) { return a * sigmoid(b); })(x, y). The function takes
/// its arguments as `auto` (or Expr), uses what takes Exprs (all that is made of formulas), and is called once, here.
/// The result broadcasts its operands, which share one dtype, f32 or f64, and is differentiable to any order; value and
/// derivatives, all of them in one pass, run in blocks that stay in the first cache, on the library's own vector
/// kernels. Recorded it keeps no more memory than the plain ops would.
template <class F>
auto fused(F f) {
  constexpr int n = detail::count_arguments<F>();
  static_assert(n > 0, "fused: the function must take 1 to 8 values of type auto or Expr, and use what Expr has");
  const detail::FusedFunction function(n, [&](const std::vector<Expr>& in) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      if constexpr (n > 0)
        return Expr(f(in[I]...));
      else
        return Expr(0.0);
    }
    (std::make_index_sequence<n>{});
  });
  return [function](const std::derived_from<Tensor> auto&... inputs) {
    static_assert(sizeof...(inputs) == n, "fused: as many tensors as the function has arguments");
    return function(Tensors{inputs...});
  };
}

}  // namespace weft

#pragma once
// Functions of tensors as arguments: of derivatives, checks and modules.
#include <weft/engine/tensor.hpp>

#include <concepts>
#include <type_traits>

namespace weft {

namespace detail {

// Not asked of a lambda with `auto` parameters: that would compile its body for the wrong type.
template <class F>
constexpr bool has_one_signature = requires {
  &F::operator();
}
|| std::is_pointer_v<F>;

// Whether f is meant for the other kind of argument, where a function has an overload for each.
template <class F, class Argument>
constexpr bool takes_the_other = [] {
  using Other = std::conditional_t<std::is_same_v<Argument, Tensor>, Tensors, Tensor>;
  if constexpr (has_one_signature<F>)
    return !std::is_invocable_v<F&, const Argument&> && std::is_invocable_v<F&, const Other&>;
  return false;
}();

}  // namespace detail

/// A function that takes an Argument (Tensor or Tensors) and returns a Result: a lambda, also one with `auto`
/// parameters, a std::function, or the name of an op, as in `jacobian(tanh, x)`. For Tensors as the result, a function
/// that returns one Tensor does too.
template <class Result, class Argument>
class FunctionOf {
 public:
  // Named ops are overloaded; the type chooses among them.
  FunctionOf(Tensor (*op)(const Argument&)) : call_(wrapped(op)) {}  // NOLINT(google-explicit-constructor)
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, FunctionOf> &&
             !detail::takes_the_other<std::remove_cvref_t<F>, Argument>)
  // The requirement keeps copies out.
  // NOLINTNEXTLINE(google-explicit-constructor,bugprone-forwarding-reference-overload)
  FunctionOf(F&& f) : call_(wrapped(std::forward<F>(f))) {}

  Result operator()(const Argument& x) const { return call_(x); }

 private:
  template <class F>
  static std::function<Result(const Argument&)> wrapped(F f) {
    if constexpr (!requires(const Argument& x) { f(x); })
      static_assert(sizeof(F) == 0,
                    "the function must be callable with one const Tensor& (const Tensors& if the inputs are a list)");
    else if constexpr (requires(const Argument& x, Result& y) { y = f(x); })
      return f;
    else if constexpr (requires(const Argument& x) { Result{f(x)}; })
      return [f = std::move(f)](const Argument& x) mutable { return Result{f(x)}; };
    else
      static_assert(sizeof(F) == 0, "the function must return a Tensor (or Tensors, where several are allowed)");
  }

  std::function<Result(const Argument&)> call_;
};

using Function = FunctionOf<Tensor, Tensor>;
using FunctionOfSeveral = FunctionOf<Tensor, Tensors>;
/// Several results too.
using MapOfSeveral = FunctionOf<Tensors, Tensors>;

}  // namespace weft

#pragma once
// Elementwise functions of the user's own, in one pass over memory and with derivatives that nobody writes.
#include <weft/engine/tensor.hpp>

#include <concepts>
#include <utility>

namespace weft {

namespace detail {

struct Program;
enum class Function : std::uint8_t {
  input,
  constant,  // leaves
  neg,
  square,
  sqrt,
  exp,
  log,
  log1p,
  sin,
  cos,
  tanh,
  sigmoid,
  erf,
  abs,
  relu,
  softplus,
  gelu,        // of one value
  pow_scalar,  // and a number
  add,
  sub,
  mul,
  div,
  pow,
  maximum,
  minimum,
  less,
  greater,
  equal,  // of two
  where   // of three
};

}  // namespace detail

/// A value inside a function given to fused(): what is computed on it is written down, not computed. Numbers mix in.
class Expr {
 public:
  Expr(double value) : number_(value) {}  // NOLINT(google-explicit-constructor): 0.5 * x
  /// Internal: a value of a program being written.
  Expr(detail::Program* program, int at) : program_(program), at_(at) {}
  detail::Program* program() const { return program_; }
  int at() const { return at_; }
  double number() const { return number_; }

 private:
  detail::Program* program_ = nullptr;  // null: a number
  int at_ = -1;
  double number_ = 0;
};

namespace detail {
/// Writes down one more step. Of numbers alone a number is made by the program that first meets them.
Expr step(Function function, const Expr& a, const Expr& b = 0.0, const Expr& c = 0.0);
}  // namespace detail

inline Expr operator+(const Expr& a, const Expr& b) { return detail::step(detail::Function::add, a, b); }
inline Expr operator-(const Expr& a, const Expr& b) { return detail::step(detail::Function::sub, a, b); }
inline Expr operator*(const Expr& a, const Expr& b) { return detail::step(detail::Function::mul, a, b); }
inline Expr operator/(const Expr& a, const Expr& b) { return detail::step(detail::Function::div, a, b); }
inline Expr operator<(const Expr& a, const Expr& b) { return detail::step(detail::Function::less, a, b); }
inline Expr operator>(const Expr& a, const Expr& b) { return detail::step(detail::Function::greater, a, b); }
inline Expr equal(const Expr& a, const Expr& b) { return detail::step(detail::Function::equal, a, b); }
inline Expr operator-(const Expr& a) { return detail::step(detail::Function::neg, a); }
inline Expr neg(const Expr& a) { return -a; }
inline Expr square(const Expr& a) { return detail::step(detail::Function::square, a); }
inline Expr sqrt(const Expr& a) { return detail::step(detail::Function::sqrt, a); }
inline Expr exp(const Expr& a) { return detail::step(detail::Function::exp, a); }
inline Expr log(const Expr& a) { return detail::step(detail::Function::log, a); }
inline Expr log1p(const Expr& a) { return detail::step(detail::Function::log1p, a); }
inline Expr sin(const Expr& a) { return detail::step(detail::Function::sin, a); }
inline Expr cos(const Expr& a) { return detail::step(detail::Function::cos, a); }
inline Expr tanh(const Expr& a) { return detail::step(detail::Function::tanh, a); }
inline Expr sigmoid(const Expr& a) { return detail::step(detail::Function::sigmoid, a); }
inline Expr erf(const Expr& a) { return detail::step(detail::Function::erf, a); }
inline Expr abs(const Expr& a) { return detail::step(detail::Function::abs, a); }
inline Expr relu(const Expr& a) { return detail::step(detail::Function::relu, a); }
inline Expr softplus(const Expr& a) { return detail::step(detail::Function::softplus, a); }
inline Expr gelu(const Expr& a) { return detail::step(detail::Function::gelu, a); }
inline Expr pow(const Expr& a, const Expr& b) { return detail::step(detail::Function::pow, a, b); }
inline Expr pow(const Expr& a, double exponent) { return detail::step(detail::Function::pow_scalar, a, exponent); }
inline Expr maximum(const Expr& a, const Expr& b) { return detail::step(detail::Function::maximum, a, b); }
inline Expr minimum(const Expr& a, const Expr& b) { return detail::step(detail::Function::minimum, a, b); }
inline Expr where(const Expr& mask, const Expr& a, const Expr& b) {
  return detail::step(detail::Function::where, mask, a, b);
}
Expr clamp(const Expr& a, double low, double high);
inline Expr& operator+=(Expr& a, const Expr& b) { return a = a + b; }
inline Expr& operator-=(Expr& a, const Expr& b) { return a = a - b; }
inline Expr& operator*=(Expr& a, const Expr& b) { return a = a * b; }
inline Expr& operator/=(Expr& a, const Expr& b) { return a = a / b; }

namespace detail {

/// A function written down, and the one that its derivatives make; never changed afterwards.
class FusedFunction {
 public:
  /// `write` is called once, with that many inputs.
  FusedFunction(int inputs, const std::function<Expr(const std::vector<Expr>&)>& write);
  Tensor operator()(const Tensors& inputs) const;

  struct Programs;

 private:
  std::shared_ptr<const Programs> programs_;
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
/// its arguments as `auto` (or Expr), uses the operations above, and is called once, here. The result broadcasts its
/// operands, which share one dtype, f32 or f64, and is differentiable to any order; value and derivatives run in blocks
/// that stay in the first cache, on the library's own vector kernels.
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

#pragma once
// What an elementwise op is made of. Its struct states the value and the derivatives, each once, as generic functions:
//   struct Tanh : Elementwise<Tanh, 1> {
//     static constexpr const char* name = "tanh";
//     static auto value(auto x) { return tanh(x); }
//     static auto d0(auto g, auto, auto y) { return g * (1.0 - y * y); }
//   };
// d0, d1, ... take the gradient, the operands and the output, and give the gradient of operand 0, 1, ... The same text
// runs on Register (the kernel: one fused pass), on Tensor (recorded, for gradients of gradients), on Expr (programs of
// fused()), and on Probe (what it reads, hence what the tape must save).
#include <weft/engine/tape.hpp>
#include <weft/ops/kernels/elementwise/map.hpp>

#include <array>
#include <bit>

namespace weft::detail {

/// Finds out at compile time which arguments a formula reads, and whether it only hands the gradient on.
struct Probe {
  unsigned reads = 0;
  bool untouched = false;  // exactly the gradient, nothing done to it
  constexpr Probe(unsigned read, bool same) : reads(read), untouched(same) {}
  constexpr Probe(double) {}  // NOLINT(google-explicit-constructor): a literal reads nothing
  static constexpr Probe of(auto... parts) { return {(parts.reads | ...), false}; }

  friend constexpr Probe operator+(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe operator-(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe operator*(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe operator/(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe operator-(Probe a) { return of(a); }
  friend constexpr Probe operator<(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe operator>(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe equal(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe where(Probe m, Probe a, Probe b) { return of(m, a, b); }
  friend constexpr Probe pow(Probe a, Probe b) { return of(a, b); }
  friend constexpr Probe sqrt(Probe a) { return of(a); }
  friend constexpr Probe exp(Probe a) { return of(a); }
  friend constexpr Probe log(Probe a) { return of(a); }
  friend constexpr Probe log1p(Probe a) { return of(a); }
  friend constexpr Probe sin(Probe a) { return of(a); }
  friend constexpr Probe cos(Probe a) { return of(a); }
  friend constexpr Probe tanh(Probe a) { return of(a); }
  friend constexpr Probe erf(Probe a) { return of(a); }
  friend constexpr Probe abs(Probe a) { return of(a); }
  friend constexpr Probe sigmoid(Probe a) { return of(a); }
};

/// The gradient formula of operand I of an op on any kind of value.
template <int I, class F, class... V>
constexpr auto derivative(const F& op, const V&... values) {
  if constexpr (I == 0) return op.d0(values...);
  if constexpr (I == 1) return op.d1(values...);
}

/// The value of an op on tensors that have the dtypes and shapes it needs, in one pass.
template <class F, class... In>
void run_formula(const F& f, Tensor& out, const In&... in) {
  const auto compute = [&](auto zero) {
    using T = decltype(zero);
    if ((... && (in.shape() == out.shape()))) {
      map_flat(f, out.size(), mutable_data_of<T>(out), data_of<T>(in)...);
    } else {
      map_broadcast<T>(f, out.shape(), mutable_data_of<T>(out), std::array<const T*, sizeof...(In)>{data_of<T>(in)...},
                       std::array<Shape, sizeof...(In)>{in.shape()...});
    }
  };
  if constexpr (requires(std::int64_t n) { (F::on_integers, n); })
    visit_dtype(out.dtype(), compute);
  else
    visit_floating(out.dtype(), compute);
}

template <class Self>
struct ValueFormula {
  const Self& op;
  auto operator()(auto... v) const { return op.value(v...); }
};
template <class Self>
  requires(Self::integers)
struct ValueFormula<Self> {
  static constexpr bool on_integers = true;
  const Self& op;
  auto operator()(auto... v) const { return op.value(v...); }
};

template <class Self, int N>
struct Elementwise : Op<Self> {
  static constexpr bool integers = false;  // an op that has a value for i64 and u8 says true

  unsigned kept = 0;  // which operands (bits 0..N-1) and whether the output (bit N) were saved

  template <int I>
  static constexpr Probe probe() {
    return [&]<std::size_t... K>(std::index_sequence<K...>) {
      return derivative<I>(Self{}, Probe(0U, true), Probe(1U << K, false)...);
    }
    (std::make_index_sequence<N + 1>{});
  }

  /// Operands first, then the op's own fields in the order of declaration.
  template <class... Fields>
  Tensor forward(Context& ctx, const Tensor& a, const Fields&... fields) requires(N == 1) {
    self() = Self{{}, fields...};
    return run(ctx, {&a});
  }
  Tensor forward(Context& ctx, const Tensor& a, const Tensor& b) requires(N == 2) { return run(ctx, {&a, &b}); }

  std::array<Tensor, N> backward(Context& ctx, const Tensor& g) const {
    std::array<Tensor, N + 1> operands;
    for (int k = 0, at = 0; k <= N; ++k)
      if (kept >> k & 1U) operands[static_cast<std::size_t>(k)] = ctx.saved(at++);
    std::array<Tensor, N> gradients;
    [&]<int... I>(std::integer_sequence<int, I...>) {
      ((ctx.needs(I) ? void(gradients[I] = gradient<I>(g, operands)) : void()), ...);
    }
    (std::make_integer_sequence<int, N>{});
    return gradients;
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }
  const Self& self() const { return static_cast<const Self&>(*this); }

  Tensor run(Context& ctx, std::array<const Tensor*, N> in) {
    Shape shape = in[0]->shape();
    if constexpr (N == 2) {
      check_same_dtype(Self::name, *in[0], *in[1]);
      if (in[1]->shape() != shape) shape = broadcast_shapes(Self::name, shape, in[1]->shape());
    }
    if constexpr (!Self::integers) check_floating(Self::name, *in[0]);
    Tensor out = make_tensor(Self::name, shape, in[0]->dtype());
    const ValueFormula<Self> formula{self()};
    if constexpr (N == 1)
      run_formula(formula, out, *in[0]);
    else
      run_formula(formula, out, *in[0], *in[1]);

    [&]<int... I>(std::integer_sequence<int, I...>) { ((kept |= ctx.needs(I) ? probe<I>().reads : 0U), ...); }
    (std::make_integer_sequence<int, N>{});
    for (int k = 0; k < N; ++k)
      if (kept >> k & 1U) ctx.save(*in[static_cast<std::size_t>(k)]);
    if (kept >> N & 1U) ctx.save(out);
    return out;
  }

  template <int I>
  Tensor gradient(const Tensor& g, const std::array<Tensor, N + 1>& operands) const {
    constexpr Probe seen = probe<I>();
    if constexpr (seen.untouched) {
      return g;
    } else {
      return [&]<std::size_t... K>(std::index_sequence<K...>) {
        if (grad_enabled()) return derivative<I>(self(), g, operands[K]...);
        Tensor out = make_tensor(Self::name, g.shape(), g.dtype());
        run_gradient<I, seen.reads>(out, g, operands, std::make_index_sequence<std::popcount(seen.reads)>{});
        return out;
      }
      (std::make_index_sequence<N + 1>{});
    }
  }

  // The k-th operand that is read.
  static constexpr std::size_t nth(unsigned reads, std::size_t k) {
    std::size_t at = 0;
    for (;; ++at)
      if (reads >> at & 1U && k-- == 0) return at;
  }

  template <int I, unsigned reads, std::size_t... U>
  void run_gradient(Tensor& out, const Tensor& g, const std::array<Tensor, N + 1>& operands,
                    std::index_sequence<U...>) const {
    const auto formula = [op = &self()](auto grad, auto... used) {
      const std::array<decltype(grad), sizeof...(used) + 1> given{used..., decltype(grad){}};
      return [&]<std::size_t... K>(std::index_sequence<K...>) {
        // An operand that is not read gets the spare value at the end.
        return derivative<I>(*op, grad,
                             given[reads >> K & 1U ? std::popcount(reads & ((1U << K) - 1U)) : sizeof...(used)]...);
      }
      (std::make_index_sequence<N + 1>{});
    };
    run_formula(formula, out, g, operands[nth(reads, U)]...);
  }
};

}  // namespace weft::detail

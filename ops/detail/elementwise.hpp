#pragma once
// Elementwise ops are made of formulas. A formula states a value and its derivatives, each once, as generic functions:
//   struct Tanh {
//     static constexpr const char* name = "tanh";
//     static auto value(auto x) { return tanh(x); }
//     static auto d0(auto g, auto, auto y) { return g * (1.0 - y * y); }
//   };
// d0, d1, ... take the gradient, the operands and the output, and give the gradient of operand 0, 1, ... The same text
// runs on registers (the kernel: one fused pass), on Numbers (where masks or integers are among the operands), on
// Tensors (recorded, for gradients of gradients) and on Exprs (programs of fused(), and what the tape must save).
// `apply(Tanh{}, x)` is the op on a Tensor and a step of a program on an Expr.
//
// Those of the ops stand in formulas/. Who instantiates one includes the headers that declare the functions which it
// uses.
//
// What else a formula may say:
//   double low, high;                               fields, and then  Fields describe() const
//   static constexpr bool integers = true;          it has a value for i64 and u8 too
//   static constexpr unsigned masks = 0b001U;       operand 0 is true or false (u8)
//   static constexpr bool gives_mask = true;        so is the value, and there is no gradient
#include <weft/engine/op.hpp>
#include <weft/ops/detail/program.hpp>
#include <weft/ops/kernels/elementwise/cost.hpp>
#include <weft/ops/kernels/elementwise/map.hpp>
#include <weft/ops/kernels/elementwise/number.hpp>

#include <array>

namespace weft::detail {

// ---- what a formula says ----

template <class F>
constexpr unsigned masks_of() {
  if constexpr (requires { F::masks; })
    return F::masks;
  else
    return 0;
}
template <class F>
inline constexpr bool gives_mask = requires {
  requires F::gives_mask;
};
template <class F>
inline constexpr bool takes_integers = requires {
  requires F::integers;
};
// What the kernel hands it as operand K.
template <class F, std::size_t K>
using KernelOperand =
    std::conditional_t<(masks_of<F>() >> K & 1U) != 0, typename Register<float>::Mask, Register<float>>;
template <class F, std::size_t... K>
constexpr bool takes(std::index_sequence<K...>) {
  return requires(const F f, KernelOperand<F, K>... operands) { f.value(operands...); };
}
/// How many operands the formula takes; 0 for what is none.
template <class F>
constexpr int operands_of() {
  if constexpr (takes<F>(std::make_index_sequence<1>{})) return 1;
  if constexpr (takes<F>(std::make_index_sequence<2>{})) return 2;
  if constexpr (takes<F>(std::make_index_sequence<3>{})) return 3;
  return 0;
}

template <class F>
concept Formula = requires {
  static_cast<const char*>(F::name);
}
&&operands_of<F>() > 0;

/// The gradient formula of operand I on any kind of value; nothing where there is none.
template <int I, class F, class... V>
constexpr auto derivative(const F& f, const V&... values) {
  if constexpr (I == 0 && requires { f.d0(values...); }) return f.d0(values...);
  if constexpr (I == 1 && requires { f.d1(values...); }) return f.d1(values...);
  if constexpr (I == 2 && requires { f.d2(values...); }) return f.d2(values...);
}
template <int I, class F, class... V>
inline constexpr bool has_derivative =
    !std::is_void_v<decltype(derivative<I>(std::declval<F>(), std::declval<V>()...))>;

/// Calls f with the indices 0 to N - 1 as std::integral_constant.
template <int N, class F>
constexpr decltype(auto) with_indices(F&& f) {
  return [&]<int... K>(std::integer_sequence<int, K...>)->decltype(auto) {
    return f(std::integral_constant<int, K>{}...);
  }
  (std::make_integer_sequence<int, N>{});
}

// ---- on tensors ----

/// Which tensors of a formula hold masks: bits of the operands, and the result.
struct Masks {
  unsigned operands = 0;
  bool result = false;
  constexpr bool of(int k) const { return (operands >> static_cast<unsigned>(k) & 1U) != 0; }
};

/// out = f(in...) in one pass, broadcast; f takes as many values as there are tensors, of one dtype but for masks,
/// which are u8 and come as bool. Without masks it runs on registers. Of a formula of one operand all tensors have one
/// shape.
template <Masks masks, bool integers, bool one_shape, class F, std::size_t N>
void run_formula(F f, Tensor& out, const std::array<const Tensor*, N>& in, DType dtype) {
  with_indices<static_cast<int>(N)>([&](auto... k) {
    const auto compute = [&](auto zero) {
      using T = decltype(zero);
      if constexpr (masks.operands != 0 || masks.result) {
        using Out = std::conditional_t<masks.result, std::uint8_t, T>;
        const auto operand = [](auto element, auto place) {
          if constexpr (masks.of(place()))
            return element != 0;
          else
            return Number<T>(element);
        };
        const auto plain = [f, operand](auto... elements) -> Out {
          if constexpr (masks.result)
            return f(operand(elements, decltype(k)())...);
          else
            return f(operand(elements, decltype(k)())...).v;
        };
        map_mixed(plain, out.shape(), mutable_data_of<Out>(out), std::array<Shape, N>{in[k]->shape()...},
                  data_of<std::conditional_t<masks.of(k()), std::uint8_t, T>>(*in[k])...);
      } else if (one_shape ||
                 (in[0]->shape() == out.shape() && (... && (in[k] == in[0] || in[k]->shape() == out.shape())))) {
        map_flat(f, out.size(), mutable_data_of<T>(out), data_of<T>(*in[k])...);
      } else if constexpr (!one_shape) {
        map_broadcast(f, out.shape(), mutable_data_of<T>(out), std::array<const T*, N>{data_of<T>(*in[k])...},
                      std::array<Shape, N>{in[k]->shape()...});
      }
    };
    if constexpr (integers)
      visit_dtype(dtype, compute);
    else
      visit_floating(dtype, compute);
  });
}

/// What the gradient of an operand reads, as bits: 0 the gradient, 1 to N the operands, N + 1 the output.
struct Reads {
  unsigned bits = 0;
  bool untouched = false;  // exactly the gradient is handed on
};
/// Found by writing the derivative down.
template <class F>
const std::array<Reads, operands_of<F>()>& reads_of() {
  constexpr int n = operands_of<F>();
  static const auto found = with_indices<n>([](auto... i) {
    return with_indices<n + 2>([&](auto... value) {
      const auto of = [&](auto operand) -> Reads {
        if constexpr (has_derivative<operand(), F, decltype(Expr(value()))...>) {
          Program program;
          const Expr g = program.input(0);
          const Expr result = derivative<operand()>(F{}, program.input(value())...);
          return {program.inputs_behind(result, n + 2), result.program() != nullptr && result.at() == g.at()};
        } else {
          return {};
        }
      };
      return std::array<Reads, n>{of(i)...};
    });
  });
  return found;
}

/// The op that a formula is on tensors.
template <class F>
struct Elementwise : Op<Elementwise<F>> {
  static constexpr const char* name = F::name;
  static constexpr int n = operands_of<F>();

  explicit Elementwise(const F& of) : formula(of) {}

  F formula;
  unsigned kept = 0;  // which operands and whether the output were saved: bits as in Reads

  Fields describe() const requires requires(const F f) { f.describe(); }
  { return formula.describe(); }

  template <class... In>
  Tensor forward(Context& ctx, const In&... in) {
    static_assert(sizeof...(In) == n);
    const std::array<const Tensor*, n> operands{&in...};
    const DType dtype = checked_dtype(operands);
    const Shape* shape = &operands[0]->shape();
    Shape common;
    for (const Tensor* t : operands)
      if (t->shape() != *shape) shape = &(common = broadcast_shapes(name, *shape, t->shape()));
    Tensor out = make_tensor(name, *shape, gives_mask<F> ? u8 : dtype);
    run_formula<Masks{masks_of<F>(), gives_mask<F>}, takes_integers<F>, n == 1>(
        [f = formula](auto... v) { return f.value(v...); }, out, operands, dtype);
    if constexpr (!gives_mask<F>) {
      const auto& reads = reads_of<F>();
      for (int i = 0; i < n; ++i)
        if (ctx.needs(i)) kept |= reads[static_cast<std::size_t>(i)].bits;
      for (int k = 0; k < n; ++k)
        if (kept >> (k + 1) & 1U) ctx.save(*operands[static_cast<std::size_t>(k)]);
      if (kept >> (n + 1) & 1U) ctx.save(out);
    }
    return out;
  }

  std::array<Tensor, n> backward(Context& ctx, const Tensor& g) const requires(!gives_mask<F>) {
    // In the place of what is not read the gradient, which no loop then loads.
    std::array<const Tensor*, n + 2> values;
    values.fill(&g);
    std::array<Tensor, n + 1> saved;
    for (std::size_t k = 0, at = 0; k <= n; ++k) {
      if ((kept >> (k + 1) & 1U) == 0) continue;
      saved[k] = ctx.saved(static_cast<int>(at++));
      values[k + 1] = &saved[k];
    }
    int last = 0;  // of the gradients that are wanted
    for (int i = 1; i < n; ++i)
      if (ctx.needs(i)) last = i;
    std::array<Tensor, n> gradients;
    with_indices<n>(
        [&](auto... i) { ((ctx.needs(i) ? void(gradients[i] = gradient<i()>(values, i == last)) : void()), ...); });
    return gradients;
  }

 private:
  // The dtype of what is no mask; of masks alone their u8.
  static DType checked_dtype(const std::array<const Tensor*, n>& operands) {
    const Tensor* first = nullptr;
    for (int k = 0; k < n; ++k) {
      const Tensor& t = *operands[static_cast<std::size_t>(k)];
      if (masks_of<F>() >> k & 1U) {
        if (t.dtype() != u8) fail(name, ": got a mask of ", t.dtype(), " ", t.shape(), ", needs u8");
      } else if (first == nullptr) {
        first = &t;
      } else {
        check_same_dtype(name, *first, t);
      }
    }
    if (first == nullptr) return u8;
    if constexpr (!takes_integers<F>) check_floating(name, *first);
    return first->dtype();
  }

  template <int I>
  Tensor gradient(const std::array<const Tensor*, n + 2>& values, bool is_last) const {
    const Tensor& g = *values[0];
    return with_indices<n + 2>([&](auto... k) -> Tensor {
      if constexpr (has_derivative<I, F, decltype(*values[static_cast<std::size_t>(k)])...>) {
        if (reads_of<F>()[I].untouched) return g;
        if (grad_enabled()) return derivative<I>(formula, *values[k]...);
        // The last may take the place of g, unless g was handed on.
        Tensor out = is_last ? in_place_of(name, g) : make_tensor(name, g.shape(), g.dtype());
        run_formula<Masks{masks_of<F>() << 1U}, false, n == 1>(
            [f = formula](auto... v) { return derivative<I>(f, v...); }, out, values, g.dtype());
        return out;
      } else {
        return {};
      }
    });
  }
};

/// The op on tensors.
template <Formula F, std::same_as<Tensor>... In>
Tensor apply(const F& formula, const In&... in) {
  static_assert(sizeof...(In) == operands_of<F>(), "apply: as many tensors as the formula has operands");
  return weft::apply(Elementwise<F>(formula), in...);
}

// ---- in programs of fused() ----

template <class F>
class StepOf final : public StepFormula {
 public:
  static constexpr int n = operands_of<F>();
  static_assert(n <= max_operands);
  static_assert(
      std::is_empty_v<F> || requires(const F f) { f.describe(); }, "a formula with fields describes them");

  explicit StepOf(const F& formula) : f_(formula) {}

  void run(const StepOperand<float>* in, float* out, std::int64_t size) const override { run_lines(in, out, size); }
  void run(const StepOperand<double>* in, double* out, std::int64_t size) const override { run_lines(in, out, size); }

  double cost() const override {
    return with_indices<n>([&](auto... k) { return f_.value(Cost(0.0 * k)...).additions; });
  }

  bool has_gradient(int k) const override {
    return with_indices<n>([&](auto... i) { return ((k == i && slope<i()>()) || ...); });
  }
  Expr gradient(int k, const Expr& g, std::span<const Expr> in, const Expr& out) const override {
    return with_indices<n>([&](auto... i) {
      Expr result = 0.0;
      const auto take = [&](auto place) {
        if constexpr (slope<place()>()) result = derivative<place()>(f_, g, in[static_cast<std::size_t>(i)]..., out);
      };
      ((k == i ? take(i) : void()), ...);
      return result;
    });
  }

  bool equals(const StepFormula& other) const override {
    const auto* same = dynamic_cast<const StepOf*>(&other);
    if (same == nullptr) return false;
    if constexpr (std::is_empty_v<F>)
      return true;
    else
      return to_text(f_.describe()) == to_text(same->f_.describe());  // unlike numbers, -0 and nan are themselves
  }

 private:
  template <int I>
  static constexpr bool slope() {
    return with_indices<n + 2>([](auto... k) { return has_derivative<I, F, decltype(Expr(k()))...>; });
  }

  template <class T>
  void run_lines(const StepOperand<T>* in, T* out, std::int64_t size) const {
    with_indices<n>([&](auto... k) { map_lines(f_, size, out, std::index_sequence<k()...>{}, in[k]...); });
  }

  // All by value: see map.hpp.
  template <class T, std::size_t... K, class... In>
  static void map_lines(F f, std::int64_t size, T* out, std::index_sequence<K...>, In... in) {
    using R = Register<T>;
    const auto operand = [](auto k, const T* from) {
      const R x(xsimd::load_unaligned(from));
      if constexpr ((masks_of<F>() >> k() & 1U) != 0)
        return !equal(x, R(0.0));
      else
        return x;
    };
    for (std::int64_t at = 0; at < size; at += line<T>) {
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < line<T>; i += lanes<T>) {
        const auto y = f.value(operand(std::integral_constant<std::size_t, K>{}, in.from + (at & in.goes_on) + i)...);
        if constexpr (gives_mask<F>)
          where(y, R(1.0), R(0.0)).v.store_unaligned(out + at + i);
        else
          y.v.store_unaligned(out + at + i);
      }
    }
  }

  F f_;
};

/// The step of a program.
template <Formula F, std::same_as<Expr>... In>
Expr apply(const F& formula, const In&... in) {
  static_assert(sizeof...(In) == operands_of<F>(), "apply: as many values as the formula has operands");
  const std::array<Expr, sizeof...(In)> operands{in...};
  return program_of(operands).apply(std::make_shared<StepOf<F>>(formula), operands);
}

}  // namespace weft::detail

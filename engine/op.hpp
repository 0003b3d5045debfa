#pragma once
// What the author of an op needs: the context of its two functions, and apply, which runs and records it.
#include <weft/engine/fields.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/engine/tensor.hpp>

#include <array>
#include <concepts>
#include <type_traits>

namespace weft {

class OpCall;
namespace detail {
class Application;
}

/// What an op's forward and backward are given besides tensors.
class Context {
 public:
  /// Forward: keeps an input or output (or a constant made on the way) for backward. Nothing happens if nothing is
  /// recorded. An undefined tensor is kept as such.
  void save(const Tensor& t);
  /// Backward: the i-th saved tensor, connected to the tape as it was. Throws Error if it was changed in place or given
  /// other storage since.
  Tensor saved(int i) const;
  /// Whether the gradient of input i is wanted. A Tensors argument counts as that many inputs.
  bool needs(int input) const {
    return static_cast<unsigned>(input) < 64 ? (first_needed_ >> input & 1U) != 0 : needs_beyond(input);
  }
  /// Backward: how many inputs there were, and what input i was.
  int input_count() const;
  Shape shape(int input) const;
  DType dtype(int input) const;

 private:
  friend class Node;
  friend class detail::Application;
  Context() = default;
  Context(Node* node, const bool* mask);
  bool needs_beyond(int input) const;
  Node* node_ = nullptr;            // null: nothing is recorded
  const bool* mask_ = nullptr;      // wanted inputs; null: all that have an edge
  std::uint64_t first_needed_ = 0;  // bits: what needs() says of the first 64 inputs
};

/// Base of an op: `struct Cube : Op<Cube>` with
///   static constexpr const char* name = "cube";
///   static Tensor forward(Context&, const Tensor& x);
///   static Tensor backward(Context&, const Tensor& g);
/// Every input is a Tensor or Tensors; an undefined tensor is an absent input. What else an op needs are its fields,
///   struct Power : Op<Power> { double exponent; explicit Power(double e) : exponent(e) {} ... };
///   Tensor y = apply(Power(3), x);
/// and forward and backward then are members. (A struct without this base is an op too if it has `name` and `forward`:
/// its fields can be given in braces, `apply(Permute{order}, x)`.) `Fields describe() const { return {{"exponent",
/// exponent}}; }` lists them for printing and drawing.
///
/// An op of several outputs returns Tensors, and its backward takes const Tensors&: of an output that was not used
/// zeros, or with `static constexpr bool takes_absent = true;` an undefined tensor. Backward gives one gradient an
/// input (a Tensor, Tensors or a std::array), undefined for none; one of an input that was broadcast is summed to the
/// input's shape by the tape. Backward is written in differentiable ops, or calls ops that are: then gradients of
/// gradients follow. Tensors that it needs are for save(): one kept in a field is a constant there. An op without
/// backward has no gradient and is never recorded.
template <class Self>
struct Op {};

namespace detail {

/// All that the tape knows of an op's type.
struct OpKind {
  const char* name;
  std::size_t size;                    // of its fields; 0 if there are none
  void (*move)(void* to, void* from);  // constructs
  void (*destroy)(void* op);           // null: nothing to do
  Fields (*describe)(const void* op);  // null: no fields are listed
  void (*backward)(void* op, Context& context, const Tensors& output_gradients, Tensor* input_gradients,
                   std::size_t inputs);  // null: there is no gradient
  bool takes_absent;                     // output gradients may be undefined, else they are zeros then
  // Of an op that is two in one pass, the names of both, for pictures: the last input joins at the second, which
  // belongs to the module around. Null: the op is one.
  const char* const* halves;
};

/// One run of an op: recorded or not, seen by the observer if there is one.
class Application {
 public:
  /// Moves the op into a node of the tape if it is to be recorded. Nothing more is recorded until the end of this.
  Application(const OpKind& kind, void* op, const Tensor* const* inputs, std::size_t count);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  void* op() const { return op_; }
  Context& context() { return context_; }
  /// Gives the outputs their places on the tape.
  void finish(Tensor* outputs, std::size_t count);

 private:
  const OpKind& kind_;
  const Tensor* const* inputs_;
  std::size_t count_;
  void* op_;
  Ref<Node> node_;  // null: nothing is recorded
  Context context_;
  bool observed_ = false;
  GradMode off_;

  OpCall call() const;
};

[[noreturn]] void wrong_gradient_count(const char* op, std::size_t got, std::size_t needed);

// What derives from Tensor, such as a module's Param, is one.
template <class A>
inline constexpr bool is_tensor = std::derived_from<std::remove_cvref_t<A>, Tensor>;
template <class A>
inline constexpr bool is_tensors = std::same_as<std::remove_cvref_t<A>, Tensors>;

template <class O>
concept AnOp = std::derived_from<O, Op<O>> || requires {
  O::name;
  &O::forward;
};

template <class O>
inline constexpr bool has_backward = requires(O op, Context& context, const Tensors& g) {
  op.backward(context, g[0]);
}
|| requires(O op, Context& context, const Tensors& g) { op.backward(context, g); };

template <class O>
void run_backward(void* fields, Context& context, const Tensors& g, Tensor* gradients, std::size_t inputs) {
  auto& op = *static_cast<O*>(fields);
  const auto deliver = [&](auto given) {
    if constexpr (is_tensor<decltype(given)>) {
      if (inputs != 1) wrong_gradient_count(O::name, 1, inputs);
      gradients[0] = std::move(given);
    } else {
      if (given.size() != inputs) wrong_gradient_count(O::name, given.size(), inputs);
      for (std::size_t i = 0; i < inputs; ++i) gradients[i] = std::move(given[i]);
    }
  };
  if constexpr (requires { op.backward(context, g[0]); })
    deliver(op.backward(context, g[0]));
  else
    deliver(op.backward(context, g));
}

template <class O>
constexpr OpKind make_kind() {
  OpKind kind{O::name, 0, nullptr, nullptr, nullptr, nullptr, false, nullptr};
  kind.move = [](void* to, void* from) { new (to) O(std::move(*static_cast<O*>(from))); };
  if constexpr (!std::is_empty_v<O>) kind.size = sizeof(O);
  if constexpr (!std::is_trivially_destructible_v<O>) kind.destroy = [](void* op) { static_cast<O*>(op)->~O(); };
  if constexpr (requires(const O op) { op.describe(); })
    kind.describe = [](const void* op) { return static_cast<const O*>(op)->describe(); };
  if constexpr (has_backward<O>) kind.backward = &run_backward<O>;
  if constexpr (requires { O::halves; }) kind.halves = O::halves;
  if constexpr (requires { O::takes_absent; }) kind.takes_absent = O::takes_absent;
  return kind;
}
template <class O>
inline constexpr OpKind kind_of = make_kind<O>();

// Says in a line what a mistake in an op would otherwise say deep inside.
template <class O, class... Inputs>
constexpr bool check_op() {
  static_assert(((is_tensor<Inputs> || is_tensors<Inputs>)&&...),
                "apply: inputs are passed as Tensor or Tensors, all else is a field of the op");
  static_assert(
      requires { static_cast<const char*>(O::name); }, "an op has: static constexpr const char* name = \"...\";");
  static_assert(
      requires(O op, Context & context, const Inputs&... inputs) { op.forward(context, inputs...); },
      "an op's forward takes Context& and what apply is given");
  static_assert(
      requires(O op, Context & context, const Inputs&... inputs) {
        requires is_tensor<decltype(op.forward(context, inputs...))> ||
            is_tensors<decltype(op.forward(context, inputs...))>;
      },
      "an op's forward returns a Tensor or Tensors");
  static_assert(
      has_backward<O> || !requires { &O::backward; },
      "an op's backward takes Context& and const Tensor& (of several outputs: const Tensors&)");
  return true;
}

template <class A>
std::size_t count_inputs(const A& a) {
  if constexpr (is_tensor<A>)
    return 1;
  else
    return a.size();
}
template <class A>
void list_inputs(const A& a, const Tensor**& next) {
  if constexpr (is_tensor<A>)
    *next++ = &a;
  else
    for (const Tensor& t : a) *next++ = &t;
}

template <class O, class... Inputs>
auto run(O&& op, const Inputs&... inputs) {
  static_assert(check_op<O, Inputs...>());
  const std::size_t count = (count_inputs(inputs) + ... + 0);
  std::array<const Tensor*, 8> few;
  std::vector<const Tensor*> many;
  if (count > few.size()) many.resize(count);
  const Tensor** const list = count > few.size() ? many.data() : few.data();
  const Tensor** next = list;
  (list_inputs(inputs, next), ...);

  Application application(kind_of<O>, &op, list, count);
  auto outputs = static_cast<O*>(application.op())->forward(application.context(), inputs...);
  if constexpr (is_tensor<decltype(outputs)>)
    application.finish(&outputs, 1);
  else
    application.finish(outputs.data(), outputs.size());
  return outputs;
}

}  // namespace detail

/// Runs an op on its inputs, and records it if recording is on and an input requires a gradient: the only place that
/// makes nodes of the tape.
template <class O, class Input>
  requires detail::AnOp<std::remove_cvref_t<O>>
auto apply(O&& op, Input&& input) {  // apart from the next, so that std::apply is never the better match for a vector
  return detail::run(std::remove_cvref_t<O>(std::forward<O>(op)), input);
}
template <class O, class... Inputs>
  requires(detail::AnOp<std::remove_cvref_t<O>> && sizeof...(Inputs) != 1)
auto apply(O&& op, const Inputs&... inputs) {
  return detail::run(std::remove_cvref_t<O>(std::forward<O>(op)), inputs...);
}
/// The short form for an op without fields: `apply<Cube>(x)`.
template <class O, class... Inputs>
  requires detail::AnOp<O>
auto apply(const Inputs&... inputs) { return detail::run(O{}, inputs...); }

}  // namespace weft

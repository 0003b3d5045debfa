#pragma once
// The tape: nodes, what they save, and the one function that records them.
#include <weft/engine/tensor.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <tuple>

namespace weft {

/// Whether operations on this thread are being recorded.
bool grad_enabled();

namespace detail {
/// Sets that state for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};
}  // namespace detail

/// While it lives, nothing is recorded on this thread, and tensors may be changed in place.
class NoGrad : detail::GradMode {
 public:
  [[nodiscard]] NoGrad() : GradMode(false) {}
};

/// Turns recording on again inside a NoGrad scope.
class EnableGrad : detail::GradMode {
 public:
  [[nodiscard]] EnableGrad() : GradMode(true) {}
};

/// While it lives, backward on this thread stops with an Error at the op whose gradient first turns nan or infinite,
/// and says where that op was recorded (for ops recorded under Anomaly too). Slow: for finding mistakes.
class Anomaly {
 public:
  [[nodiscard]] Anomaly();
  ~Anomaly();
  Anomaly(const Anomaly&) = delete;
  Anomaly& operator=(const Anomaly&) = delete;

 private:
  bool before_;
};

class Context;

namespace detail {

/// Shape and dtype of an input or output of a node, and which output of its node it is. The sizes stand in the same
/// block of memory, so that a node is two cache lines.
struct Meta {
  std::uint32_t sizes_at = 0;  // bytes from here to the sizes
  std::uint32_t output : 24 = 0;
  std::uint8_t rank : 4 = 0;
  DType dtype : 4 = DType::f32;

  Meta() = default;
  Meta(const Meta&) = delete;
  Meta& operator=(const Meta&) = delete;

  const std::int64_t* sizes() const {
    return reinterpret_cast<const std::int64_t*>(reinterpret_cast<const std::byte*>(this) + sizes_at);
  }
  Shape shape() const { return {sizes(), rank}; }
  bool has_shape(const Shape& shape) const { return std::equal(shape.begin(), shape.end(), sizes(), sizes() + rank); }
};
inline constexpr std::size_t max_outputs = (1U << 24U) - 1;

/// An input, and where its gradient flows: to an output of a node, or to a leaf. Holds a count on it.
struct Edge : Meta {
  std::uintptr_t target = 0;  // Node*, or TensorImpl* of a leaf with the lowest bit set; 0: no gradient wanted

  bool is_leaf() const { return (target & 1U) != 0; }
  Node* node() const { return reinterpret_cast<Node*>(target); }
  TensorImpl* leaf() const { return reinterpret_cast<TensorImpl*>(target - 1); }
};
static_assert(sizeof(Edge) == 16);

struct Saved {
  Tensor tensor;              // undefined if that was saved
  std::uint32_t version = 0;  // of its storage at the time
  std::int32_t output = -1;   // which output of its own node it is, -1: not an output
};

/// What a node saved: one word in the node, and a block once there is something.
class SavedList {
 public:
  SavedList() = default;
  ~SavedList() { clear(); }
  SavedList(const SavedList&) = delete;
  SavedList& operator=(const SavedList&) = delete;

  std::size_t size() const { return block_ != nullptr ? block_->count : 0; }
  Saved* begin() { return block_ != nullptr ? block_->items() : nullptr; }
  Saved* end() { return begin() + size(); }
  const Saved* begin() const { return block_ != nullptr ? block_->items() : nullptr; }
  const Saved* end() const { return begin() + size(); }
  const Saved& operator[](std::size_t i) const { return begin()[i]; }

  void push_back(Saved saved);
  void clear() noexcept;

 private:
  struct Block {
    std::uint32_t count, capacity;
    Saved* items() { return reinterpret_cast<Saved*>(this + 1); }
    static std::size_t bytes(std::size_t capacity) { return sizeof(Block) + capacity * sizeof(Saved); }
  };
  Block* block_ = nullptr;
};

struct NodeExtras;

}  // namespace detail

/// One recorded application of an op. Lives as long as a tensor or a later node refers to it.
class Node {
 public:
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  virtual const char* op_name() const = 0;
  /// Position on the tape: inputs have lower ones.
  std::uint64_t stamp() const { return stamp_; }
  int input_count() const { return static_cast<int>(input_count_); }
  int output_count() const { return static_cast<int>(output_count_); }
  const detail::Edge& edge(int input) const { return edges_[input]; }
  const detail::Meta& output(int output) const { return outputs_[output]; }
  bool released() const { return released_; }
  const auto& saved() const { return saved_; }

  /// The gradients of the inputs from those of the outputs, as the op's backward gives them.
  virtual void run_backward(Context& context, Tensors& output_gradients, Tensor* input_gradients) = 0;

  std::atomic<std::uint32_t> refs{1};

 protected:
  Node();
  virtual ~Node();

 private:
  friend class Context;
  friend struct NodeAccess;

  std::uint32_t block_bytes_ = 0;
  union {
    std::uint64_t stamp_ = 0;
    Node* next_dead_;  // once nothing refers to it, until it is destroyed
  };
  detail::Edge* edges_ = nullptr;    // in the node's own block, then room for one output and the sizes
  detail::Meta* outputs_ = nullptr;  // there if it fits, else in a block of its own
  detail::SavedList saved_;
  std::unique_ptr<detail::NodeExtras> extras_;
  std::uint32_t input_count_ = 0;
  std::uint32_t output_count_ : 30 = 0;
  bool released_ : 1 = false;
  bool traced_ : 1 = false;  // recorded under Anomaly
};

/// What an op's forward and backward are given besides tensors.
class Context {
 public:
  /// Forward: keeps an input or output (or a constant made on the way) for backward. Nothing happens if no node is
  /// made. An undefined tensor is kept as such.
  void save(const Tensor& t);
  /// Backward: the i-th saved tensor, connected to the tape as it was. Throws Error if it was changed in place or given
  /// other storage since.
  Tensor saved(int i) const;
  /// Whether the gradient of input i is wanted. A Tensors argument counts as that many inputs.
  bool needs(int input) const;

 private:
  friend struct NodeAccess;
  Context() = default;
  explicit Context(Node* node, const bool* mask = nullptr) : node_(node), mask_(mask) {}
  Node* node_ = nullptr;        // null: nothing is recorded
  const bool* mask_ = nullptr;  // wanted inputs; null: all that have an edge
};

/// Base of every op: `struct Cube : Op<Cube>` with
///   static constexpr const char* name = "cube";
///   static Tensor forward(Context&, inputs...);
///   static Tensors backward(Context&, const Tensor& g);
/// Inputs are Tensor, Tensors and plain values; an undefined tensor is an absent input. An op of several outputs
/// returns Tensors, and its backward takes const Tensors&. Backward gives one gradient an input, undefined for none.
/// Both may be non-static: the op's members are then kept with the node, for plain fields. Tensors that backward needs
/// are for save(): an output kept in a member is a constant there. A gradient of an
/// input that was broadcast is summed to the input's shape by the tape. Backward is written in differentiable ops, or
/// calls ops that are: then gradients of gradients follow.
template <class Self>
struct Op {};

/// The engine's access to Node and Context; ops and users do not need it.
struct NodeAccess {
  /// The stamp that the next recorded node will have at least.
  static std::uint64_t next_stamp();
  static Context no_context() { return {}; }
  static Context context(Node* node, const bool* mask = nullptr) { return Context(node, mask); }
  /// Bytes behind a node for its edges, one output and the sizes of the inputs.
  static std::size_t tail_bytes(const Tensor* const* inputs, int count);
  static void add_inputs(Node* node, std::byte* tail, std::size_t block_bytes, const Tensor* const* inputs, int count);
  static void add_outputs(Node* node, Tensor* outputs, int count, const Tensor* const* inputs);
  static void release_saved(Node* node);
  static void destroy(Node* node) noexcept;
  static Node*& next_dead(Node* node) { return node->next_dead_; }
  static detail::NodeExtras& make_extras(Node* node);
  static detail::NodeExtras* extras(const Node* node) { return node->extras_.get(); }
  static bool traced(const Node* node) { return node->traced_; }
};

namespace detail {

[[noreturn]] void wrong_gradient_count(const char* op, std::size_t got, std::size_t needed);

template <class O>
class OpNode final : public Node {
 public:
  O op;
  const char* op_name() const override { return O::name; }
  void run_backward(Context& context, Tensors& output_gradients, Tensor* input_gradients) override {
    const auto n = static_cast<std::size_t>(input_count());
    auto deliver = [&](auto gradients) {
      if constexpr (std::same_as<decltype(gradients), Tensor>) {
        if (n != 1) wrong_gradient_count(O::name, 1, n);
        input_gradients[0] = std::move(gradients);
      } else {
        if (gradients.size() != n) wrong_gradient_count(O::name, gradients.size(), n);
        for (std::size_t i = 0; i < n; ++i) input_gradients[i] = std::move(gradients[i]);
      }
    };
    if constexpr (requires { op.backward(context, output_gradients[0]); })
      deliver(op.backward(context, output_gradients[0]));
    else
      deliver(op.backward(context, output_gradients));
  }
};

// What derives from Tensor, such as a module's Param, is one.
template <class A>
inline constexpr bool is_tensor = std::derived_from<std::remove_cvref_t<A>, Tensor>;
template <class A>
inline constexpr bool is_tensors = std::same_as<std::remove_cvref_t<A>, Tensors>;

// An array, an optional, a pointer: the tape would not see the tensors inside.
template <class A>
concept HidesTensors = !is_tensor<A> && !is_tensors<A> &&
                       (
                           requires(const A& a) { requires is_tensor<decltype(*a)>; } ||
                           requires(const A& a) { requires is_tensor<decltype(*std::begin(a))>; });

template <class A>
int count_inputs(const A& a) {
  if constexpr (is_tensor<A>) return 1;
  if constexpr (is_tensors<A>) return static_cast<int>(a.size());
  return 0;
}
template <class A>
bool wants_gradient(const A& a) {
  if constexpr (is_tensor<A>) return a.requires_grad();
  if constexpr (is_tensors<A>)
    for (const Tensor& t : a)
      if (t.requires_grad()) return true;
  return false;
}
template <class A>
void list_inputs(const A& a, const Tensor**& next) {
  if constexpr (is_tensor<A>) *next++ = &a;
  if constexpr (is_tensors<A>)
    for (const Tensor& t : a) *next++ = &t;
}

// Says in a line what a mistake in an op would otherwise say deep inside.
template <class O, class... Args>
constexpr bool check_op() {
  static_assert(
      requires { static_cast<const char*>(O::name); }, "an op has: static constexpr const char* name = \"...\";");
  static_assert(
      requires(O op, Context & context, const Args&... args) { op.forward(context, args...); },
      "an op's forward takes Context& and what apply is given");
  static_assert(
      requires(O op, Context & context, const Args&... args) {
        requires is_tensor<decltype(op.forward(context, args...))> ||
            is_tensors<decltype(op.forward(context, args...))>;
      },
      "an op's forward returns a Tensor or Tensors");
  static_assert(
      requires(O op, Context & context, Tensors & g) { op.backward(context, g[0]); } ||
          requires(O op, Context & context, Tensors & g) { op.backward(context, g); },
      "an op's backward takes Context& and const Tensor& (of several outputs: const Tensors&)");
  static_assert(!(HidesTensors<Args> || ...),
                "apply: inputs are passed as Tensor or Tensors, else they get no gradient");
  return true;
}

template <class O, class... Args>
auto record(const Args&... args) {
  const int count = (count_inputs(args) + ... + 0);
  std::array<const Tensor*, 8> few;
  std::vector<const Tensor*> many;
  if (count > 8) many.resize(static_cast<std::size_t>(count));
  const Tensor** const inputs = count > 8 ? many.data() : few.data();
  const Tensor** next = inputs;
  (list_inputs(args, next), ...);

  using Made = OpNode<O>;
  const std::size_t head = (sizeof(Made) + 7) / 8 * 8;
  const std::size_t bytes = head + NodeAccess::tail_bytes(inputs, count);
  auto* block = static_cast<std::byte*>(allocate_block(bytes));
  auto* node = new (block) Made;
  NodeAccess::add_inputs(node, block + head, bytes, inputs, count);
  const auto held = Ref<Node>::adopt(node);
  Context context = NodeAccess::context(node);
  auto outputs = [&] {
    const GradMode off(false);
    return node->op.forward(context, args...);
  }();
  if constexpr (is_tensor<decltype(outputs)>)
    NodeAccess::add_outputs(node, &outputs, 1, inputs);
  else
    NodeAccess::add_outputs(node, outputs.data(), static_cast<int>(outputs.size()), inputs);
  return outputs;
}

}  // namespace detail

/// Applies an op and records it if recording is on and an argument requires a gradient: the only place that makes
/// nodes.
template <class O, class... Args>
  requires std::derived_from<O, Op<O>>
auto apply(const Args&... args) {
  static_assert(detail::check_op<O, Args...>());
  if (grad_enabled() && (detail::wants_gradient(args) || ...)) return detail::record<O>(args...);
  O op{};
  Context context = NodeAccess::no_context();
  const detail::GradMode off(false);
  return op.forward(context, args...);
}

}  // namespace weft

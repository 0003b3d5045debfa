#pragma once
// The layout of the tape in memory: nodes, their edges, and what they save.
#include <weft/engine/op.hpp>

#include <algorithm>
#include <atomic>

namespace weft {

namespace detail {

/// Shape and dtype of an input or output of a node, and which output of its node it is. The sizes stand in the same
/// block of memory, so that a node is two cache lines.
struct Meta {
  std::uint32_t sizes_at = 0;     // bytes from here to the sizes
  std::uint32_t output : 24 = 0;  // of an edge to a constant: its number
  std::uint8_t rank : 4 = 0;
  DType dtype : 4 = DType::f32;

  Meta() = default;
  Meta(const Meta&) = delete;
  Meta& operator=(const Meta&) = delete;

  const std::int64_t* sizes() const {
    return reinterpret_cast<const std::int64_t*>(reinterpret_cast<const std::byte*>(this) + sizes_at);
  }
  Shape shape() const { return {sizes(), rank}; }
  bool has_shape(const Shape& shape) const {
    if (shape.rank() != rank) return false;
    const std::int64_t* const mine = sizes();
    for (int i = 0; i < shape.rank(); ++i)  // a call of memcmp takes longer
      if (shape.begin()[i] != mine[i]) return false;
    return true;
  }
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

/// One recorded application of an op. Lives as long as a tensor or a later node refers to it. Its block of memory holds
/// this header of one cache line, the op's fields, the edges, one output and the sizes of inputs and output.
class Node {
 public:
  /// A node for an op, which is moved into it, with edges to its inputs. The caller holds the only count.
  static detail::Ref<Node> make(const detail::OpKind& kind, void* op, const Tensor* const* inputs, std::size_t count);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The stamp that the next recorded node will have at least.
  static std::uint64_t next_stamp();

  const detail::OpKind& kind() const { return *kind_; }
  const char* op_name() const { return kind_->name; }
  const void* op() const { return this + 1; }
  void* op() { return this + 1; }
  Fields fields() const { return kind_->describe != nullptr ? kind_->describe(op()) : Fields{}; }
  /// Position on the tape: inputs have lower ones.
  std::uint64_t stamp() const { return stamp_; }
  /// Where in the net it was recorded: see engine/scope.hpp.
  std::uint32_t scope() const { return scope_; }
  int input_count() const { return static_cast<int>(input_count_); }
  int output_count() const { return static_cast<int>(output_count_); }
  const detail::Edge& edge(int input) const { return edges()[input]; }
  const detail::Meta& output(int output) const { return outputs_[output]; }
  bool released() const { return released_; }
  const detail::SavedList& saved() const { return saved_; }
  /// Null: it has none.
  detail::NodeExtras* extras() const { return extras_.load(std::memory_order_acquire); }
  detail::NodeExtras& make_extras();

  /// Forward's context, or backward's with the gradients that are wanted (null: all that have an edge).
  Context context(const bool* wanted = nullptr) { return {this, wanted}; }
  void save(const Tensor& t);
  /// Puts make() in the place of an output, wherever it was saved.
  template <class F>
  void exchange_saved_output(const Tensor& output, const F& make) {
    for (detail::Saved& saved : saved_)
      if (saved.output >= 0 && saved.tensor.impl()->storage.get() == output.impl()->storage.get()) {
        saved.tensor = make();
        saved.version = saved.tensor.impl()->storage->version.load(std::memory_order_relaxed);
      }
  }
  /// Gives the outputs of a node, which keep it from then on, their places.
  static void add_outputs(detail::Ref<Node> node, Tensor* outputs, std::size_t count, const Tensor* const* inputs);
  /// Frees what was saved: the node cannot be differentiated again.
  void release_saved();

  std::atomic<std::uint32_t> refs{1};

 private:
  friend void detail::release(Node* node) noexcept;
  explicit Node(const detail::OpKind& kind);
  ~Node();
  static void destroy(Node* node) noexcept;
  void describe_outputs(const Tensor* outputs, std::size_t count, const Tensor* const* inputs);

  static std::size_t op_bytes(const detail::OpKind& kind) { return (kind.size + 7) / 8 * 8; }
  std::byte* after_op() const {
    return const_cast<std::byte*>(reinterpret_cast<const std::byte*>(this + 1)) + op_bytes(*kind_);
  }
  detail::Edge* edges() const { return reinterpret_cast<detail::Edge*>(after_op()); }
  detail::Meta* own_output() const { return reinterpret_cast<detail::Meta*>(edges() + input_count_); }

  std::uint32_t block_bytes_ = 0;
  const detail::OpKind* kind_;
  union {
    std::uint64_t stamp_ = 0;
    Node* next_dead_;  // once nothing refers to it, until it is destroyed
  };
  detail::Meta* outputs_ = nullptr;  // in the node's own block if it is one that fits, else in a block of its own
  detail::SavedList saved_;
  std::atomic<detail::NodeExtras*> extras_{nullptr};  // owned; atomic, as hooks may come while others differentiate
  std::uint32_t input_count_ = 0;
  std::uint32_t output_count_ : 31 = 0;
  bool released_ : 1 = false;
  std::uint32_t scope_ = 0;
};

namespace detail {

/// The nodes that the outputs depend on and that are not older than `floor`, oldest first.
std::vector<const Node*> nodes_behind(const Tensors& outputs, std::uint64_t floor = 0);

}  // namespace detail
}  // namespace weft

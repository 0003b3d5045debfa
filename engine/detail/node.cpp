#include <weft/engine/detail/node.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <unordered_set>
#include <utility>

#include <weft/engine/detail/blocks.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/detail/recipe.hpp>
#include <weft/engine/detail/thread_state.hpp>

namespace weft {
namespace {

std::atomic<std::uint64_t> next{1};

// Absent inputs count as scalars.
const Shape scalar_shape{};
const Shape& shape_of(const Tensor& t) { return t.defined() ? t.impl()->shape : scalar_shape; }

// The inputs and the output that have the first input's shape, in most ops all, share its sizes.
std::size_t sizes_of_inputs(const Tensor* const* inputs, std::size_t count) {
  if (count == 0) return 0;
  const Shape& first = shape_of(*inputs[0]);
  auto sizes = static_cast<std::size_t>(first.rank());
  for (std::size_t i = 1; i < count; ++i)
    if (const Shape& shape = shape_of(*inputs[i]); shape != first) sizes += static_cast<std::size_t>(shape.rank());
  return sizes;
}

// Describes a tensor; its sizes are written at `sizes` and that moved on, unless `same` has them.
inline void describe(detail::Meta& meta, const Tensor& t, const detail::Meta* same, std::int64_t*& sizes) {
  const Shape& shape = shape_of(t);
  if (t.defined()) meta.dtype = t.impl()->dtype;
  meta.rank = static_cast<std::uint8_t>(shape.rank()) & 0xFU;
  const std::int64_t* at = sizes;
  if (same != nullptr && same->has_shape(shape))
    at = same->sizes();
  else
    for (const std::int64_t size : shape) *sizes++ = size;
  meta.sizes_at =
      static_cast<std::uint32_t>(reinterpret_cast<const std::byte*>(at) - reinterpret_cast<const std::byte*>(&meta));
}

std::size_t outputs_bytes(std::size_t count, std::size_t sizes) {
  return count * sizeof(detail::Meta) + sizes * sizeof(std::int64_t);
}

// Nodes whose last holder went away while another is being destroyed wait in a list, so that no chain recurses. The
// list is trivially destructible: tensors in static storage go after a thread's other objects.
struct Teardown {
  bool active;
  Node* waiting;
};
thread_local constinit Teardown teardown{};

}  // namespace

namespace detail {

void SavedList::push_back(Saved saved) {
  if (block_ == nullptr || block_->count == block_->capacity) {
    // Three fill a block of one cache line.
    const std::uint32_t capacity = block_ != nullptr ? 2 * block_->capacity + 1 : 3;
    auto* larger = new (take_block(Block::bytes(capacity))) Block{0, capacity};
    for (Saved& item : *this) new (larger->items() + larger->count++) Saved(std::move(item));
    clear();
    block_ = larger;
  }
  new (block_->items() + block_->count++) Saved(std::move(saved));
}

void SavedList::clear() noexcept {
  Block* block = std::exchange(block_, nullptr);
  if (block == nullptr) return;
  std::destroy_n(block->items(), block->count);
  return_block(block, Block::bytes(block->capacity));
}

void release(Node* node) noexcept {
  node->next_dead_ = std::exchange(teardown.waiting, node);
  if (teardown.active) return;
  teardown.active = true;
  while (Node* dead = teardown.waiting) {
    teardown.waiting = dead->next_dead_;
    Node::destroy(dead);
  }
  teardown.active = false;
}

std::vector<const Node*> nodes_behind(const Tensors& outputs, std::uint64_t floor) {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> nodes;  // also the worklist: those from `next` on have not been looked into
  const auto reach = [&](const Node* node) {
    if (node != nullptr && node->stamp() >= floor && seen.insert(node).second) nodes.push_back(node);
  };
  for (const Tensor& output : outputs)
    if (output.defined()) reach(output.impl()->node);
  for (std::size_t next_node = 0; next_node < nodes.size(); ++next_node) {
    const Node* node = nodes[next_node];
    for (int i = 0; i < node->input_count(); ++i)
      if (const Edge& edge = node->edge(i); edge.target != 0 && !edge.is_leaf()) reach(edge.node());
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->stamp() < b->stamp(); });
  return nodes;
}

}  // namespace detail

std::uint64_t Node::next_stamp() { return next.load(std::memory_order_relaxed); }

Node::Node(const detail::OpKind& kind) : kind_(&kind) {}

Node::~Node() {
  delete extras();
  if (kind_->destroy != nullptr) kind_->destroy(op());
}

detail::Ref<Node> Node::make(const detail::OpKind& kind, void* op, const Tensor* const* inputs, std::size_t count) {
  const std::size_t bytes =
      sizeof(Node) + op_bytes(kind) + count * sizeof(detail::Edge) + outputs_bytes(1, sizes_of_inputs(inputs, count));
  auto* node = new (detail::take_block(bytes)) Node(kind);
  if (kind.size != 0) kind.move(node->op(), op);
  detail::count(&detail::LocalPool::nodes, 1, bytes);
  node->block_bytes_ = static_cast<std::uint32_t>(bytes);
  node->input_count_ = static_cast<std::uint32_t>(count);
  node->stamp_ = next.fetch_add(1, std::memory_order_relaxed);
  node->scope_ = detail::this_thread.scope;
  node->outputs_ = node->own_output();
  detail::Edge* const edges = node->edges();
  auto* sizes = reinterpret_cast<std::int64_t*>(node->outputs_ + 1);
  for (std::size_t i = 0; i < count; ++i) {
    auto* edge = new (edges + i) detail::Edge;
    detail::TensorImpl* impl = inputs[i]->impl();
    describe(*edge, *inputs[i], i > 0 ? edges : nullptr, sizes);
    if (impl == nullptr) continue;
    if (impl->node != nullptr) {
      edge->target = reinterpret_cast<std::uintptr_t>(detail::Ref<Node>::share(impl->node).take());
      edge->output = impl->output_index & detail::max_outputs;
    } else if (impl->leaf_requires_grad) {
      edge->target = reinterpret_cast<std::uintptr_t>(detail::Ref<detail::TensorImpl>::share(impl).take()) + 1;
    } else {
      edge->output = detail::number_of_constant(impl) & detail::max_outputs;
    }
  }
  if (detail::this_thread.checking_anomalies) node->make_extras().recorded_at = detail::call_stack();
  return detail::Ref<Node>::adopt(node);
}

void Node::describe_outputs(const Tensor* outputs, std::size_t count, const Tensor* const* inputs) {
  using detail::Meta;
  if (count > detail::max_outputs) fail(op_name(), ": got ", count, " outputs, needs at most ", detail::max_outputs);
  output_count_ = static_cast<std::uint32_t>(count) & detail::max_outputs;
  const Meta* same = input_count_ > 0 ? edges() : nullptr;
  std::int64_t* sizes = nullptr;
  // Mostly there is one, of the first input's shape.
  if (count != 1 || same == nullptr || !same->has_shape(outputs[0].shape())) [[unlikely]] {
    sizes = reinterpret_cast<std::int64_t*>(outputs_ + 1) + sizes_of_inputs(inputs, input_count_);
    std::size_t needed = 0;
    for (std::size_t i = 0; i < count; ++i) needed += static_cast<std::size_t>(outputs[i].rank());
    const auto* end = reinterpret_cast<std::byte*>(this) + (block_bytes_ + 63) / 64 * 64;  // blocks are whole lines
    if (count != 1 || reinterpret_cast<std::byte*>(sizes + needed) > end) {
      outputs_ = static_cast<Meta*>(detail::take_block(outputs_bytes(count, needed)));
      sizes = reinterpret_cast<std::int64_t*>(outputs_ + count);
      same = nullptr;
    }
  }
  for (std::size_t i = 0; i < count; ++i) describe(*new (outputs_ + i) Meta, outputs[i], same, sizes);
}

void Node::add_outputs(detail::Ref<Node> node, Tensor* outputs, std::size_t count, const Tensor* const* inputs) {
  node->describe_outputs(outputs, count, inputs);
  Node* const self = node.get();
  for (std::size_t i = 0; i < count; ++i) {
    Tensor& output = outputs[i];
    // What forward passed through keeps its own place on the tape: the output is another handle on the same storage.
    bool foreign = output.requires_grad();
    for (std::uint32_t k = 0; k < self->input_count_ && !foreign; ++k) foreign = inputs[k]->impl() == output.impl();
    if (foreign) output = output.detach();
    if (!is_floating(output.dtype())) continue;
    for (detail::Saved& saved : self->saved_) {
      if (saved.tensor.impl() != output.impl()) continue;
      saved.tensor = output.detach();  // apart from the handle that will point to this node: no cycle
      saved.output = static_cast<std::int32_t>(i);
    }
    // Whoever else holds it may be a field of the op, which would be a cycle, too.
    if (output.impl()->refs.load(std::memory_order_acquire) > 1) output = output.detach();
    output.impl()->node = (i + 1 == count ? std::move(node) : node).take();
    output.impl()->output_index = static_cast<std::uint32_t>(i);
  }
}

void Node::release_saved() {
  saved_.clear();
  released_ = true;
}

void Node::destroy(Node* node) noexcept {
  for (int i = 0; i < node->input_count(); ++i) {
    const detail::Edge& edge = node->edge(i);
    if (edge.target == 0) continue;
    if (edge.is_leaf())
      detail::Ref<detail::TensorImpl>::drop(edge.leaf());
    else
      detail::Ref<Node>::drop(edge.node());
  }
  if (node->outputs_ != node->own_output()) {
    std::size_t ranks = 0;
    for (int i = 0; i < node->output_count(); ++i) ranks += node->outputs_[i].rank;
    detail::return_block(node->outputs_, outputs_bytes(node->output_count_, ranks));
  }
  const std::size_t bytes = node->block_bytes_;
  node->~Node();
  detail::return_block(node, bytes);
  detail::count(&detail::LocalPool::nodes, -1, bytes);
}

detail::NodeExtras& Node::make_extras() {
  if (detail::NodeExtras* made = extras()) return *made;
  const std::lock_guard lock(detail::extras_mutex);
  if (extras() == nullptr) extras_.store(new detail::NodeExtras, std::memory_order_release);
  return *extras();
}

void Node::save(const Tensor& t) {
  if (t.defined() && t.impl()->extras != nullptr)
    if (auto recipe = detail::recipe_of(t)) return save(detail::stand_in(t, std::move(recipe)));
  saved_.push_back({t, t.defined() ? t.impl()->storage->version.load(std::memory_order_relaxed) : 0});
}

}  // namespace weft

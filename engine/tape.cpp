#include <weft/engine/tape.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include <weft/engine/detail/extras.hpp>

namespace weft {
namespace {

thread_local constinit bool recording = true;
thread_local constinit bool checking_anomalies = false;

std::atomic<std::uint64_t> next_stamp{1};

// Absent inputs count as scalars.
const Shape scalar_shape{};
const Shape& shape_of(const Tensor& t) { return t.defined() ? t.impl()->shape : scalar_shape; }

// The inputs and the output that have the first input's shape, in most ops all, share its sizes.
std::size_t sizes_of_inputs(const Tensor* const* inputs, int count) {
  std::size_t sizes = 0;
  for (int i = 0; i < count; ++i)
    if (const Shape& shape = shape_of(*inputs[i]); i == 0 || shape != shape_of(*inputs[0]))
      sizes += static_cast<std::size_t>(shape.rank());
  return sizes;
}

// Describes a tensor; its sizes are written at `sizes` and that moved on, unless `same` has them.
void describe(detail::Meta& meta, const Tensor& t, const detail::Meta* same, std::int64_t*& sizes) {
  const Shape& shape = shape_of(t);
  if (t.defined()) meta.dtype = t.impl()->dtype;
  meta.rank = static_cast<std::uint8_t>(shape.rank()) & 0xFU;
  const std::int64_t* at = sizes;
  if (same != nullptr && same->has_shape(shape))
    at = same->sizes();
  else
    sizes = std::copy(shape.begin(), shape.end(), sizes);
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

Node::Node() = default;
Node::~Node() = default;

bool grad_enabled() { return recording; }

namespace detail {

void SavedList::push_back(Saved saved) {
  if (block_ == nullptr || block_->count == block_->capacity) {
    // Three fill a block of one cache line.
    const std::uint32_t capacity = block_ != nullptr ? 2 * block_->capacity + 1 : 3;
    auto* larger = new (allocate_block(Block::bytes(capacity))) Block{0, capacity};
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
  free_block(block, Block::bytes(block->capacity));
}

GradMode::GradMode(bool enabled) : before_(recording) { recording = enabled; }
GradMode::~GradMode() { recording = before_; }

bool anomaly_enabled() { return checking_anomalies; }

void wrong_gradient_count(const char* op, std::size_t got, std::size_t needed) {
  fail("backward of ", op, ": got ", got, " gradients, needs one for each of ", needed, " inputs");
}

void release(Node* node) noexcept {
  NodeAccess::next_dead(node) = std::exchange(teardown.waiting, node);
  if (teardown.active) return;
  teardown.active = true;
  while (Node* next = teardown.waiting) {
    teardown.waiting = NodeAccess::next_dead(next);
    NodeAccess::destroy(next);
  }
  teardown.active = false;
}

}  // namespace detail

Anomaly::Anomaly() : before_(checking_anomalies) { checking_anomalies = true; }
Anomaly::~Anomaly() { checking_anomalies = before_; }

std::uint64_t NodeAccess::next_stamp() { return weft::next_stamp.load(std::memory_order_relaxed); }

std::size_t NodeAccess::tail_bytes(const Tensor* const* inputs, int count) {
  return static_cast<std::size_t>(count) * sizeof(detail::Edge) + outputs_bytes(1, sizes_of_inputs(inputs, count));
}

void NodeAccess::add_inputs(Node* node, std::byte* tail, std::size_t block_bytes, const Tensor* const* inputs,
                            int count) {
  detail::count_node(1, block_bytes);
  node->block_bytes_ = static_cast<std::uint32_t>(block_bytes);
  node->input_count_ = static_cast<std::uint32_t>(count);
  node->stamp_ = weft::next_stamp.fetch_add(1, std::memory_order_relaxed);
  node->edges_ = reinterpret_cast<detail::Edge*>(tail);
  node->outputs_ = reinterpret_cast<detail::Meta*>(node->edges_ + count);
  auto* sizes = reinterpret_cast<std::int64_t*>(node->outputs_ + 1);
  for (int i = 0; i < count; ++i) {
    auto* edge = new (node->edges_ + i) detail::Edge;
    detail::TensorImpl* impl = inputs[i]->impl();
    describe(*edge, *inputs[i], i > 0 ? node->edges_ : nullptr, sizes);
    if (impl == nullptr) continue;
    if (impl->node != nullptr) {
      edge->target = reinterpret_cast<std::uintptr_t>(detail::Ref<Node>::share(impl->node).take());
      edge->output = impl->output_index & detail::max_outputs;
    } else if (impl->leaf_requires_grad) {
      edge->target = reinterpret_cast<std::uintptr_t>(detail::Ref<detail::TensorImpl>::share(impl).take()) + 1;
    }
  }
  if (checking_anomalies) {
    node->traced_ = true;
    make_extras(node).recorded_at = detail::call_site();
  }
}

void NodeAccess::add_outputs(Node* node, Tensor* outputs, int count, const Tensor* const* inputs) {
  using detail::Meta;
  const auto number = static_cast<std::size_t>(count);
  if (number > detail::max_outputs)
    fail(node->op_name(), ": got ", count, " outputs, needs at most ", detail::max_outputs);
  const Meta* same = node->edges_;
  std::int64_t* sizes = reinterpret_cast<std::int64_t*>(node->outputs_ + 1) +
                        sizes_of_inputs(inputs, static_cast<int>(node->input_count_));
  std::size_t needed = 0;
  for (int i = 0; i < count; ++i) needed += static_cast<std::size_t>(outputs[i].rank());
  const auto* end = reinterpret_cast<std::byte*>(node) + (node->block_bytes_ + 63) / 64 * 64;  // blocks are whole lines
  const bool fits = reinterpret_cast<std::byte*>(sizes + needed) <= end;
  if (count != 1 || !(fits || same->has_shape(outputs[0].shape()))) {
    node->outputs_ = static_cast<Meta*>(detail::allocate_block(outputs_bytes(number, needed)));
    sizes = reinterpret_cast<std::int64_t*>(node->outputs_ + count);
    same = nullptr;
  }
  node->output_count_ = static_cast<std::uint32_t>(number) & detail::max_outputs;
  for (int i = 0; i < count; ++i) describe(*new (node->outputs_ + i) Meta, outputs[i], same, sizes);
  for (int i = 0; i < count; ++i) {
    Tensor& output = outputs[i];
    // What forward passed through keeps its own place on the tape: the output is another handle on the same storage.
    bool foreign = output.requires_grad();
    for (std::uint32_t k = 0; k < node->input_count_ && !foreign; ++k) foreign = inputs[k]->impl() == output.impl();
    for (int k = 0; k < i && !foreign; ++k) foreign = outputs[k].impl() == output.impl();
    if (foreign) output = output.detach();
    if (!is_floating(output.dtype())) continue;
    for (detail::Saved& saved : node->saved_) {
      if (saved.tensor.impl() != output.impl()) continue;
      saved.tensor = output.detach();  // apart from the handle that will point to this node: no cycle
      saved.output = i;
    }
    // Whoever else holds it may be a member of the op, which would be a cycle, too.
    if (output.impl()->refs.load(std::memory_order_acquire) > 1) output = output.detach();
    output.impl()->node = detail::Ref<Node>::share(node).take();
    output.impl()->output_index = static_cast<std::uint32_t>(i);
  }
}

void NodeAccess::release_saved(Node* node) {
  node->saved_.clear();
  node->released_ = true;
}

void NodeAccess::destroy(Node* node) noexcept {
  for (std::uint32_t i = 0; i < node->input_count_; ++i) {
    const detail::Edge& edge = node->edges_[i];
    if (edge.target == 0) continue;
    if (edge.is_leaf())
      detail::Ref<detail::TensorImpl>::drop(edge.leaf());
    else
      detail::Ref<Node>::drop(edge.node());
  }
  if (reinterpret_cast<std::byte*>(node->outputs_) != reinterpret_cast<std::byte*>(node->edges_ + node->input_count_)) {
    std::size_t ranks = 0;
    for (std::uint32_t i = 0; i < node->output_count_; ++i) ranks += node->outputs_[i].rank;
    detail::free_block(node->outputs_, outputs_bytes(node->output_count_, ranks));
  }
  const std::size_t bytes = node->block_bytes_;
  node->~Node();
  detail::free_block(node, bytes);
  detail::count_node(-1, bytes);
}

detail::NodeExtras& NodeAccess::make_extras(Node* node) {
  if (!node->extras_) node->extras_ = std::make_unique<detail::NodeExtras>();
  return *node->extras_;
}

void Context::save(const Tensor& t) {
  if (node_ == nullptr) return;
  node_->saved_.push_back({t, t.defined() ? t.impl()->storage->version.load(std::memory_order_relaxed) : 0});
}

Tensor Context::saved(int i) const {
  if (node_ == nullptr || i < 0 || i >= static_cast<int>(node_->saved_.size()))
    fail("saved: got index ", i, ", needs one of the tensors that forward saved");
  const detail::Saved& saved = node_->saved_[static_cast<std::size_t>(i)];
  if (!saved.tensor.defined()) return {};
  const auto version = saved.tensor.impl()->storage->version.load(std::memory_order_relaxed);
  if (version != saved.version) {
    const std::string name = saved.tensor.name();
    fail("backward of ", node_->op_name(), ": a saved ", saved.output >= 0 ? "output" : "input",
         name.empty() ? "" : " '" + name + "'", " of shape ", saved.tensor.shape(),
         " was changed in place after it was used");
  }
  if (saved.output < 0) return saved.tensor;
  Tensor output = saved.tensor.detach();
  output.impl()->node = detail::Ref<Node>::share(node_).take();
  output.impl()->output_index = static_cast<std::uint32_t>(saved.output);
  return output;
}

bool Context::needs(int input) const {
  return node_ != nullptr && node_->edges_[input].target != 0 && (mask_ == nullptr || mask_[input]);
}

}  // namespace weft

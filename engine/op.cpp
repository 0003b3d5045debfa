#include <weft/engine/op.hpp>

#include <algorithm>
#include <charconv>

#include <weft/engine/detail/node.hpp>
#include <weft/engine/detail/recipe.hpp>
#include <weft/engine/detail/thread_state.hpp>
#include <weft/engine/observer.hpp>

namespace weft {
namespace {

std::string value_of(const Field& field) {
  switch (field.kind) {
    case Field::Kind::flag: return field.whole != 0 ? "true" : "false";
    case Field::Kind::whole: return std::to_string(field.whole);
    case Field::Kind::real: return detail::to_text(field.real);
    case Field::Kind::text: return field.text;
    case Field::Kind::list: break;
  }
  std::string text = "{";
  for (const std::int64_t number : field.list) text += (text.size() > 1 ? ", " : "") + std::to_string(number);
  return text + "}";
}

}  // namespace

std::string to_text(const Fields& fields) {
  std::string text;
  for (const Field& field : fields) text += (text.empty() ? "" : ", ") + field.name + " = " + value_of(field);
  return text;
}

void Context::save(const Tensor& t) {
  if (node_ != nullptr) node_->save(t);
}

Tensor Context::saved(int i) const {
  if (node_ == nullptr || i < 0 || i >= static_cast<int>(node_->saved().size()))
    fail("saved: got index ", i, ", needs one of the tensors that forward saved");
  const detail::Saved& saved = node_->saved()[static_cast<std::size_t>(i)];
  if (!saved.tensor.defined()) return {};
  const auto version = saved.tensor.impl()->storage->version.load(std::memory_order_relaxed);
  if (version != saved.version) {
    const std::string name = saved.tensor.name();
    fail("backward of ", node_->op_name(), ": a saved ", saved.output >= 0 ? "output" : "input",
         name.empty() ? "" : " '" + name + "'", " of shape ", saved.tensor.shape(),
         " was changed in place after it was used");
  }
  Tensor value = detail::stood_for(saved.tensor);
  if (saved.output < 0) return value;
  Tensor output = value.detach();
  output.impl()->node = detail::Ref<Node>::share(node_).take();
  output.impl()->output_index = static_cast<std::uint32_t>(saved.output);
  return output;
}

Context::Context(Node* node, const bool* mask) : node_(node), mask_(mask) {
  const int count = std::min(node->input_count(), 64);
  for (int i = 0; i < count; ++i) first_needed_ |= std::uint64_t{needs_beyond(i)} << i;
}

bool Context::needs_beyond(int input) const {
  return node_ != nullptr && node_->edge(input).target != 0 && (mask_ == nullptr || mask_[input]);
}

int Context::input_count() const { return node_->input_count(); }

Shape Context::shape(int input) const { return node_->edge(input).shape(); }

DType Context::dtype(int input) const { return node_->edge(input).dtype; }

namespace detail {

Application::Application(const OpKind& kind, void* op, const Tensor* const* inputs, std::size_t count)
    : kind_(kind), inputs_(inputs), count_(count), op_(op), off_(false) {
  const auto requires_grad = [](const Tensor* t) { return t->requires_grad(); };
  if (off_.before() && kind.backward != nullptr && std::any_of(inputs, inputs + count, requires_grad)) {
    node_ = Node::make(kind, op, inputs, count);
    op_ = node_->op();
    context_ = node_->context();
  }
  if (this_thread.observers != nullptr) {
    observed_ = true;
    Observe::tell_before(call());
  }
}

Application::~Application() {
  if (observed_) Observe::tell_after(call());
}

OpCall Application::call() const { return {kind_, op_, Pass::forward, this_thread.scope, {inputs_, count_}}; }

void Application::finish(Tensor* outputs, std::size_t count) {
  // Who observes is still told of the node's op, which an error could else take away.
  if (node_) Node::add_outputs(observed_ ? node_ : std::move(node_), outputs, count, inputs_);
  if (!observed_) return;
  observed_ = false;
  OpCall done = call();
  done.set_outputs({outputs, count});
  Observe::tell_after(done);
}

void wrong_gradient_count(const char* op, std::size_t got, std::size_t needed) {
  fail("backward of ", op, ": got ", got, " gradients, needs one for each of ", needed, " inputs");
}

}  // namespace detail
}  // namespace weft

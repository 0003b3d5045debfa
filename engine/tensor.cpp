#include <weft/engine/tensor.hpp>

#include <new>

#include <weft/engine/detail/blocks.hpp>
#include <weft/engine/detail/extras.hpp>
#include <weft/engine/ops_needed.hpp>

namespace weft {
namespace detail {

void mismatched_dtype(const char* what, DType got, DType asked) {
  fail(what, ": the tensor is ", got, ", got a request for ", asked);
}

void release(TensorImpl* impl) noexcept {
  if (Node* node = std::exchange(impl->node, nullptr)) Ref<Node>::drop(node);
  impl->~TensorImpl();
  return_block(impl, sizeof(TensorImpl));
}

constinit std::mutex extras_mutex;

Extras& extras_of(TensorImpl* impl) {
  if (!impl->extras) {
    impl->extras = std::make_shared<Extras>();
    if (impl->constant.load(std::memory_order_relaxed) != 0) note_extras_of_constant(impl);
  }
  return *impl->extras;
}

Tensor make_tensor(const char* op, const Shape& shape, DType dtype) {
  const std::int64_t size = checked_size(op, shape, size_of(dtype));
  Ref<Storage> storage = make_storage(static_cast<std::size_t>(size) * size_of(dtype));
  auto* impl = new (take_block(sizeof(TensorImpl))) TensorImpl;
  impl->dtype = dtype;
  impl->shape = shape;
  impl->size = size;
  impl->storage = std::move(storage);
  return Tensor(Ref<TensorImpl>::adopt(impl));
}

Tensor alias(const Tensor& t, const Shape& shape) {
  auto* impl = new (take_block(sizeof(TensorImpl))) TensorImpl;
  impl->dtype = t.dtype();
  impl->shape = shape;
  impl->size = t.size();
  impl->storage = t.impl()->storage;
  return Tensor(Ref<TensorImpl>::adopt(impl));
}

bool uniquely_held(const Tensor& t) {
  return t.impl()->refs.load(std::memory_order_acquire) == 1 &&
         t.impl()->storage->refs.load(std::memory_order_acquire) == 1;
}

Tensor in_place_of(const char* op, const Tensor& gradient) {
  return uniquely_held(gradient) && !gradient.requires_grad() ? gradient
                                                              : make_tensor(op, gradient.shape(), gradient.dtype());
}

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    fail(op, ": got ", a.dtype(), " ", a.shape(), " and ", b.dtype(), " ", b.shape(), ", needs one dtype (see to())");
}

void check_floating(const char* op, const Tensor& t) {
  if (!is_floating(t.dtype())) fail(op, ": got ", t.dtype(), " ", t.shape(), ", needs f32 or f64");
}

namespace {

// The element at a flat position, as a double.
double element(const Tensor& t, std::int64_t at) {
  return visit_dtype(t.dtype(), [&](auto zero) { return static_cast<double>(data_of<decltype(zero)>(t)[at]); });
}

}  // namespace
}  // namespace detail

void Tensor::undefined() { fail("tensor: got an undefined tensor, needs one with a value"); }

std::int64_t Tensor::size(int axis) const { return shape()[detail::checked_axis("size", axis, rank())]; }

double Tensor::item() const {
  if (size() != 1) fail("item: got shape ", shape(), ", needs one element");
  return detail::element(*this, 0);
}

double Tensor::at(const Axes& list) const {
  if (list.count() != rank()) fail("at: got ", list.count(), " indices for shape ", shape(), ", needs one an axis");
  std::int64_t flat = 0;
  for (int i = 0; i < rank(); ++i) {
    const std::int64_t n = shape()[i], at = list[i] < 0 ? list[i] + n : list[i];
    if (at < 0 || at >= n) fail("at: index ", list, " is out of range for shape ", shape());
    flat = flat * n + at;
  }
  return detail::element(*this, flat);
}

Tensor Tensor::detach() const {
  Tensor result = detail::alias(*this, shape());
  return result;
}

void Tensor::set_requires_grad(bool requires_grad) {
  if (checked()->node != nullptr) fail("set_requires_grad: the tensor is computed, needs a leaf (see detach())");
  if (requires_grad) detail::check_floating("set_requires_grad", *this);
  impl_->leaf_requires_grad = requires_grad;
}

Tensor Tensor::grad() const { return checked()->extras ? impl_->extras->grad : Tensor(); }

void Tensor::set_grad(const Tensor& gradient) {
  if (gradient.defined() && (gradient.shape() != shape() || gradient.dtype() != dtype()))
    fail("set_grad: got ", gradient.dtype(), " ", gradient.shape(), " for a tensor of ", dtype(), " ", shape());
  if (gradient.defined() || checked()->extras) detail::extras_of(checked()).grad = gradient;
}

void Tensor::retain_grad() {
  if (!requires_grad()) fail("retain_grad: the tensor does not require a gradient");
  detail::TensorImpl* impl = checked();
  if (impl->node == nullptr) return;  // a leaf's gradient is kept anyway
  detail::extras_of(impl);
  auto& retained = impl->node->make_extras().retained;
  for (const auto& [output, kept] : retained)
    if (kept.lock() == impl->extras) return;
  retained.emplace_back(impl->output_index, impl->extras);
}

HookHandle Tensor::register_hook(Hook hook) {
  if (!requires_grad()) fail("register_hook: the tensor does not require a gradient");
  if (Node* node = checked()->node)
    return detail::HookList::add(node->make_extras().hooks, impl_->output_index, std::move(hook));
  const std::lock_guard lock(detail::extras_mutex);
  return detail::HookList::add(detail::extras_of(impl_.get()).hooks, 0, std::move(hook));
}

std::string Tensor::name() const { return checked()->extras ? impl_->extras->name : std::string(); }

void Tensor::set_name(std::string name) { detail::extras_of(checked()).name = std::move(name); }

void Tensor::writable(const char* what) const {
  if (requires_grad() && grad_enabled()) fail(what, ": in place on a tensor that requires a gradient, needs NoGrad");
  checked()->storage->version.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace weft

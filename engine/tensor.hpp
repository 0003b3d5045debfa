#pragma once
// The tensor: a counted handle to a shape, a dtype, a shared buffer and, if recorded, a place on the tape.
#include <weft/engine/dtype.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/shape.hpp>
#include <weft/engine/storage.hpp>

#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft {

class Tensor;
class Node;
using Tensors = std::vector<Tensor>;

/// Options of Tensor::backward.
struct BackwardOptions {
  bool retain_graph = false;  ///< keep what was saved, so that backward can run again
  bool create_graph = false;  ///< record the gradients' own computation (implies retain_graph). A leaf's gradient then
                              ///< refers to the leaf: zero_grad() it when done, or use grad(), or neither is freed
};

/// Called with a gradient; what it returns replaces the gradient, an undefined tensor leaves it.
using Hook = std::function<Tensor(const Tensor& gradient)>;

namespace detail {
class HookList;
struct HookEntry;
}  // namespace detail

/// Names a registered hook, to take it off again.
class HookHandle {
 public:
  HookHandle() = default;
  HookHandle(std::weak_ptr<detail::HookList> list, std::weak_ptr<detail::HookEntry> entry)
      : list_(std::move(list)), entry_(std::move(entry)) {}
  /// The hook is not called any more, and is freed (after its return, if it is the hook itself that asks).
  void remove();

 private:
  std::weak_ptr<detail::HookList> list_;
  std::weak_ptr<detail::HookEntry> entry_;
};

namespace detail {

struct Extras;  // gradient, name and hooks: most tensors have none
void mismatched_dtype(const char* what, DType got, DType asked);

struct TensorImpl {
  std::atomic<std::uint32_t> refs{1};
  DType dtype = DType::f32;
  bool leaf_requires_grad = false;
  std::uint32_t output_index = 0;          // which output of `node` this is
  std::atomic<std::uint32_t> constant{0};  // of a constant that an op of the tape was given: see number_of_constant
  Shape shape;
  std::int64_t size = 0;
  Ref<Storage> storage;
  Node* node = nullptr;  // the op that made it, counted; null for leaves and constants
  std::shared_ptr<Extras> extras;
};

}  // namespace detail

/// A dense, contiguous, row-major array of f32, f64, i64 or u8 values. Copies of a Tensor share one value; clone()
/// copies the data. A default-constructed Tensor is undefined: every question but defined() throws Error.
class Tensor {
 public:
  Tensor() = default;

  bool defined() const { return static_cast<bool>(impl_); }
  const Shape& shape() const { return checked()->shape; }
  int rank() const { return checked()->shape.rank(); }
  /// Number of elements.
  std::int64_t size() const { return checked()->size; }
  /// Size of one axis; negative axes count from the end.
  std::int64_t size(int axis) const;
  DType dtype() const { return checked()->dtype; }

  /// The only element, as a double. Throws Error unless there is exactly one.
  double item() const;
  /// The element at an index, one number an axis, negative ones counted from the end.
  double at(const Axes& index) const;
  /// Row i: the values at one position of the first axis, without that axis; differentiable, a copy. Negative i counts
  /// from the end. `for (Tensor row : t)` goes over all.
  Tensor operator[](std::int64_t i) const;
  /// The elements, row-major. Throws Error unless T is the dtype's type.
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(typed(dtype_of<T>)), static_cast<std::size_t>(impl_->size)};
  }
  /// The elements for writing: allowed like the in-place functions below, and counted as a change.
  template <class T>
  std::span<T> mutable_data() {
    void* const data = typed(dtype_of<T>);
    writable("mutable_data");
    return {static_cast<T*>(data), static_cast<std::size_t>(impl_->size)};
  }

  class Rows;
  Rows begin() const;
  Rows end() const;

  /// The same values in another dtype (this tensor itself if it has that dtype); differentiable between f32 and f64.
  Tensor to(DType dtype) const;
  /// The same values, sharing storage, as a constant: gradients stop here.
  Tensor detach() const;
  /// A copy in storage of its own; differentiable.
  Tensor clone() const;

  /// Whether gradients flow to or through this tensor.
  bool requires_grad() const { return impl_ && (impl_->leaf_requires_grad || impl_->node != nullptr); }
  /// Makes a leaf (not) require a gradient. Throws Error for computed tensors and for i64 and u8.
  void set_requires_grad(bool requires_grad);
  bool is_leaf() const { return checked()->node == nullptr; }
  /// The gradient that backward() left: undefined before the first one.
  Tensor grad() const;
  /// Replaces the gradient (shape and dtype as this tensor's); an undefined tensor forgets it.
  void set_grad(const Tensor& gradient);
  void zero_grad() { set_grad(Tensor()); }
  /// Makes backward() add to .grad() of this computed tensor too.
  void retain_grad();
  /// Calls `hook` with the gradient whenever one has been computed for this tensor. A hook may add and remove hooks,
  /// itself too; those added are called from the next time on.
  HookHandle register_hook(Hook hook);
  /// The same for a function that returns nothing.
  template <class F>
    requires std::is_void_v<std::invoke_result_t<F&, const Tensor&>> HookHandle register_hook(F look) {
      return register_hook(Hook([look = std::move(look)](const Tensor& gradient) mutable {
        look(gradient);
        return Tensor();
      }));
    }

  /// A label for messages and graphs; empty unless set.
  std::string name() const;
  void set_name(std::string name);

  /// Adds to .grad() of every leaf it depends on the gradient of this tensor, weighted by `seed` (shape and dtype as
  /// this tensor's; by default 1 for one element). On failure no gradient is changed.
  void backward(const Tensor& seed = Tensor(), BackwardOptions options = {}) const;
  void backward(BackwardOptions options) const { backward(Tensor(), options); }

  // In place: for parameter updates and buffers. Throws Error where gradients are being recorded through this tensor
  // (use NoGrad). `other` has this tensor's shape and dtype, or one element.
  Tensor& fill_(double value);
  Tensor& zero_() { return fill_(0.0); }
  Tensor& copy_(const Tensor& other);
  Tensor& add_(const Tensor& other, double scale = 1.0);
  Tensor& add_(double value);
  Tensor& sub_(const Tensor& other, double scale = 1.0) { return add_(other, -scale); }
  Tensor& sub_(double value) { return add_(-value); }
  Tensor& mul_(const Tensor& other);
  Tensor& mul_(double factor);

  /// Internal: the counted object behind the handle.
  detail::TensorImpl* impl() const { return impl_.get(); }
  explicit Tensor(detail::Ref<detail::TensorImpl> impl) : impl_(std::move(impl)) {}

 private:
  friend struct detail::TensorImpl;
  detail::TensorImpl* checked() const {
    if (!impl_) undefined();
    return impl_.get();
  }
  [[noreturn]] static void undefined();
  void* typed(DType dtype) const {
    if (checked()->dtype != dtype) detail::mismatched_dtype("data", impl_->dtype, dtype);
    return impl_->storage->data();
  }
  void writable(const char* what) const;

  detail::Ref<detail::TensorImpl> impl_;
};

/// Goes over a tensor's first axis.
class Tensor::Rows {
 public:
  using value_type = Tensor;
  using difference_type = std::ptrdiff_t;

  Rows() = default;
  Rows(Tensor t, std::int64_t i) : tensor_(std::move(t)), i_(i) {}
  Tensor operator*() const { return tensor_[i_]; }
  Rows& operator++() {
    ++i_;
    return *this;
  }
  Rows operator++(int) { return {tensor_, i_++}; }
  bool operator==(const Rows& other) const { return i_ == other.i_; }

 private:
  Tensor tensor_;
  std::int64_t i_ = 0;
};
inline Tensor::Rows Tensor::begin() const { return {*this, 0}; }
inline Tensor::Rows Tensor::end() const { return {*this, size(0)}; }

/// NumPy-style, shortened when large, with dtype, shape and the op that made it.
std::ostream& operator<<(std::ostream& out, const Tensor& t);

namespace detail {

/// A new constant of this shape, its elements not initialised. Throws Error naming `op` if the shape is impossible.
Tensor make_tensor(const char* op, const Shape& shape, DType dtype);
/// Another tensor on the same storage, not recorded. `shape` has as many elements.
Tensor alias(const Tensor& t, const Shape& shape);
/// True if this handle is the only one to the tensor and its storage, so that it may be written to.
bool uniquely_held(const Tensor& t);
/// Where to write what is made of a gradient, element by element: in its own place if nobody else sees it, else in a
/// new tensor like it.
Tensor in_place_of(const char* op, const Tensor& gradient);

/// Elements, without the checks of data<T>(): for kernels, after theirs.
template <class T>
const T* data_of(const Tensor& t) {
  return reinterpret_cast<const T*>(t.impl()->storage->data());
}
template <class T>
T* mutable_data_of(const Tensor& t) {
  return reinterpret_cast<T*>(t.impl()->storage->data());
}

/// Throws Error naming `op` unless both dtypes are the same.
void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);
/// Throws Error naming `op` unless t is f32 or f64.
void check_floating(const char* op, const Tensor& t);

}  // namespace detail
}  // namespace weft

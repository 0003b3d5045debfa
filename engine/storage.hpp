#pragma once
// Reference counting, and the buffers that tensors share.
#include <weft/engine/memory.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace weft {
class Node;
}

namespace weft::detail {

struct Storage;
struct TensorImpl;
// What happens when the last count goes.
void release(Storage* storage) noexcept;
void release(TensorImpl* impl) noexcept;
void release(Node* node) noexcept;

/// A counted pointer to an object that has `refs` and for which release(T*) is declared above. One word, no control
/// block.
template <class T>
class Ref {
 public:
  Ref() = default;
  /// Takes over a count that the caller holds.
  static Ref adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  /// Adds a count.
  static Ref share(T* object) {
    if (object != nullptr) object->refs.fetch_add(1, std::memory_order_relaxed);
    return adopt(object);
  }
  Ref(const Ref& other) : Ref(share(other.object_)) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { drop(object_); }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  /// Gives the count to the caller.
  T* take() { return std::exchange(object_, nullptr); }

  static void drop(T* object) {
    // A count of one is ours alone: nobody else can raise it, so no locked instruction is needed.
    if (object == nullptr) return;
    if (object->refs.load(std::memory_order_acquire) == 1 || object->refs.fetch_sub(1, std::memory_order_acq_rel) == 1)
      release(object);
  }

 private:
  T* object_ = nullptr;
};

/// A tensor's buffer: this header of one cache line, then `capacity` bytes in the same block, 64-byte aligned. The
/// capacity is a multiple of 64, so that flat kernels may run whole vectors past the last element.
struct alignas(64) Storage {
  std::atomic<std::uint32_t> refs{1};
  std::atomic<std::uint32_t> version{0};  ///< raised by every write; starts elsewhere in every storage
  std::size_t capacity = 0;

  std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
};
static_assert(sizeof(Storage) == 64);

/// A buffer of at least `bytes` bytes, not initialised. Throws Error if there is no memory.
Ref<Storage> make_storage(std::size_t bytes);

}  // namespace weft::detail

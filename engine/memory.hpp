#pragma once
// Where tensors' bytes and the tape's nodes live: blocks of 64-byte alignment, kept for reuse by size class.
#include <cstddef>
#include <cstdint>

namespace weft {

/// What the process holds at this moment, in objects and bytes.
struct MemoryStats {
  std::int64_t nodes = 0;         ///< recorded applications of ops still alive
  std::int64_t storages = 0;      ///< tensor buffers alive
  std::int64_t bytes = 0;         ///< of buffers, capacity included, and of nodes (what those save counts as buffers)
  std::int64_t peak_bytes = 0;    ///< the most there have been since the start or reset_peak_bytes()
  std::int64_t cached_bytes = 0;  ///< freed large blocks kept for reuse
};
MemoryStats memory_stats();
void reset_peak_bytes();

namespace detail {

/// A block of at least `bytes` bytes, 64-byte aligned; free it with the same number. Throws Error if there is no
/// memory.
void* allocate_block(std::size_t bytes);
/// The same, which may be of up to a quarter more: `bytes` then says how many, for free_block().
void* allocate_at_least(std::size_t& bytes);
void free_block(void* block, std::size_t bytes) noexcept;

/// For containers that are part of nodes.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT(google-explicit-constructor): an allocator converts by contract
  T* allocate(std::size_t n) { return static_cast<T*>(allocate_block(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) noexcept { free_block(p, n * sizeof(T)); }
  bool operator==(const PoolAllocator&) const { return true; }
};

}  // namespace detail
}  // namespace weft

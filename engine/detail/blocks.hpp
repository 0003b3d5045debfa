#pragma once
// The way that most blocks of memory go: up to 1 KiB, from and to the lists of the calling thread, compiled into those
// who make tensors and nodes. memory.cpp has what comes after it.
#include <weft/engine/memory.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

using Counter = std::atomic<std::int64_t>;

/// Only the owning thread writes, others read: a plain add without a locked instruction. Gives the sum.
inline std::int64_t add_unshared(Counter& counter, std::int64_t change) {
  const std::int64_t sum = counter.load(std::memory_order_relaxed) + change;
  counter.store(sum, std::memory_order_relaxed);
  return sum;
}

inline constexpr std::size_t small_limit = 32 * 1024;  // up to here a block comes from its thread's own lists
inline constexpr std::size_t tiny_limit = 1024;        // up to here sizes are multiples of 64
inline constexpr std::size_t small_classes = 17 + 5 * 8;
inline constexpr std::uint32_t tiny_batch = 256;

/// A free block, small or large, is part of a list of such. Whole lists change hands: the first block of one says which
/// list comes next and how many blocks its own has.
struct FreeBlock {
  FreeBlock* next;
  FreeBlock* next_list;
  std::uint32_t count;
  std::size_t size;  // of a large block
};

/// A thread frees into one list and, when that has become a batch, puts it aside as the spare. What it frees beyond two
/// batches goes to other threads, so that memory which one thread gets and another frees goes round; and a thread whose
/// need goes up and down by less than a batch never asks for more.
struct LocalPool {
  struct Class {
    FreeBlock* blocks;
    std::uint32_t count;  // of `blocks`
    FreeBlock* spare;     // empty or a batch
  };
  Class small[small_classes];
  std::byte* slab;
  std::byte* slab_end;
  Counter nodes, storages, bytes;  // bytes: not yet published to the shared count
  LocalPool *previous, *next;      // in the list of locals
  bool open, closed;               // between its first use and the thread's end; past that
};

/// Trivially destructible, so that it can still be used while other thread-local objects are being destroyed.
extern thread_local constinit LocalPool local_pool;

/// As allocate_block(), of at least a byte.
inline void* take_block(std::size_t bytes) {
#ifndef WEFT_NO_POOL
  if (bytes <= tiny_limit) [[likely]] {
    LocalPool::Class& mine = local_pool.small[(bytes + 63) / 64];
    if (FreeBlock* block = mine.blocks) [[likely]] {
      mine.blocks = block->next;
      --mine.count;
      return block;
    }
  }
#endif
  return allocate_block(bytes);
}

/// As free_block().
inline void return_block(void* block, std::size_t bytes) noexcept {
#ifndef WEFT_NO_POOL
  LocalPool& local = local_pool;
  if (bytes <= tiny_limit && local.open) [[likely]] {
    LocalPool::Class& mine = local.small[(bytes + 63) / 64];
    if (mine.count != tiny_batch) [[likely]] {
      auto* freed = static_cast<FreeBlock*>(block);
      freed->next = mine.blocks;
      mine.blocks = freed;
      ++mine.count;
      return;
    }
  }
#endif
  free_block(block, bytes);
}

inline constexpr std::int64_t publish_bytes = 64 * 1024;

/// Makes the count of a thread's bytes known to all, who may be past its end or before its first use.
void publish(Counter LocalPool::*objects, std::int64_t change, std::int64_t bytes) noexcept;

/// Counts `change` nodes or storages of so many bytes each.
inline void count(Counter LocalPool::*objects, int change, std::size_t bytes) noexcept {
  LocalPool& local = local_pool;
  const std::int64_t signed_bytes = change * static_cast<std::int64_t>(bytes);
  const std::int64_t pending = local.bytes.load(std::memory_order_relaxed) + signed_bytes;
  if (!local.open || pending >= publish_bytes || pending <= -publish_bytes) [[unlikely]]
    return publish(objects, change, signed_bytes);
  local.bytes.store(pending, std::memory_order_relaxed);
  add_unshared(local.*objects, change);
}

}  // namespace weft::detail

#include <weft/engine/memory.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <vector>

#include <weft/engine/error.hpp>

namespace weft {
namespace detail {
namespace {

using Counter = std::atomic<std::int64_t>;

// Only the owning thread writes, others read: a plain add without a locked instruction.
void add_unshared(Counter& counter, std::int64_t change) {
  counter.store(counter.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

constexpr std::size_t small_limit = 32 * 1024;  // up to here a block comes from its thread's own lists
constexpr std::size_t huge_page = 2 * 1024 * 1024;
constexpr std::size_t slab_bytes = huge_page;
constexpr std::int64_t publish_bytes = 64 * 1024;

// Sizes are rounded up to multiples of 64, above 1 KiB to eighths of a power of two: at most 12.5% unused, and few
// enough classes that a block freed by one op fits the next.
std::size_t rounded(std::size_t bytes) {
  if (bytes <= 1024) return std::max<std::size_t>((bytes + 63) & ~std::size_t{63}, 64);
  const std::size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

// Consecutive numbers for consecutive sizes that rounded() returns.
std::size_t class_of(std::size_t size) {
  if (size <= 1024) return size / 64;
  const std::size_t power = std::bit_floor(size - 1);
  return 17 + static_cast<std::size_t>(std::countr_zero(power) - 10) * 8 + (size - power) / (power / 8) - 1;
}

constexpr std::size_t small_classes = 17 + 5 * 8;
constexpr std::size_t all_classes = 17 + 53 * 8;

struct FreeBlock {
  FreeBlock* next;
};

struct LocalPool;

struct SharedPool {
  std::mutex mutex;
  std::vector<LocalPool*> locals;
  FreeBlock* small[small_classes] = {};              // left behind by threads that ended
  std::vector<void*> large[all_classes];             // freed large blocks, newest last
  std::int64_t cached = 0;                           // bytes in `large`
  std::int64_t ended_nodes = 0, ended_storages = 0;  // counts of threads that ended
  Counter bytes{0}, peak{0};
};

SharedPool& shared_pool() {
  static auto* pool = new SharedPool;  // never destroyed: tensors in static storage outlive any order of destruction
  return *pool;
}

struct LocalPool {
  FreeBlock* small[small_classes];
  std::byte* slab;
  std::byte* slab_end;
  Counter nodes, storages, bytes;  // bytes: not yet published to the shared count
  bool registered, closed;
};

// Trivially destructible, so that it can still be used while other thread-local objects are being destroyed.
thread_local constinit LocalPool local_pool{};

void publish_bytes_of(LocalPool& local) {
  SharedPool& shared = shared_pool();
  const std::int64_t change = local.bytes.load(std::memory_order_relaxed);
  add_unshared(local.bytes, -change);
  const std::int64_t now = shared.bytes.fetch_add(change, std::memory_order_relaxed) + change;
  std::int64_t peak = shared.peak.load(std::memory_order_relaxed);
  while (now > peak && !shared.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

// Hands a thread's free blocks and counts over when it ends.
struct Closer {
  ~Closer() {
    LocalPool& local = local_pool;
    SharedPool& shared = shared_pool();
    publish_bytes_of(local);
    const std::lock_guard lock(shared.mutex);
    for (std::size_t c = 0; c < small_classes; ++c) {
      while (FreeBlock* block = local.small[c]) {
        local.small[c] = block->next;
        block->next = shared.small[c];
        shared.small[c] = block;
      }
    }
    shared.ended_nodes += local.nodes.exchange(0);
    shared.ended_storages += local.storages.exchange(0);
    std::erase(shared.locals, &local);
    local.closed = true;
  }
};

void register_local(LocalPool& local) {
  thread_local Closer closer;
  (void)closer;
  local.registered = true;
  SharedPool& shared = shared_pool();
  const std::lock_guard lock(shared.mutex);
  shared.locals.push_back(&local);
}

// The calling thread's pool; null once the thread is past its end.
LocalPool* this_pool() {
  LocalPool& local = local_pool;
  if (local.closed) return nullptr;
  if (!local.registered) register_local(local);
  return &local;
}

void* system_block(std::size_t size) {
  // Huge pages: a long tape or a large tensor is not slowed down by page faults and address translation.
  const bool huge = size >= huge_page;
  const std::size_t alignment = huge ? huge_page : 64;
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, whole);
  if (block == nullptr) fail("memory: could not get ", size, " bytes");
#ifdef MADV_HUGEPAGE
  if (huge) madvise(block, whole, MADV_HUGEPAGE);  // a wish: without it all is the same but slower
#endif
  return block;
}

#ifndef WEFT_NO_POOL

void* small_block(std::size_t size) {
  const std::size_t c = class_of(size);
  LocalPool* local = this_pool();
  SharedPool& shared = shared_pool();
  if (local != nullptr) {
    if (FreeBlock* block = local->small[c]) {
      local->small[c] = block->next;
      return block;
    }
  }
  {
    const std::lock_guard lock(shared.mutex);
    if (FreeBlock* block = shared.small[c]) {
      shared.small[c] = block->next;
      return block;
    }
  }
  if (local == nullptr) return system_block(size);
  if (local->slab_end - local->slab < static_cast<std::ptrdiff_t>(size)) {
    local->slab = static_cast<std::byte*>(system_block(slab_bytes));
    local->slab_end = local->slab + slab_bytes;
  }
  void* block = local->slab;
  local->slab += size;
  return block;
}

void* large_block(std::size_t size) {
  SharedPool& shared = shared_pool();
  std::vector<void*> released;
  {
    const std::lock_guard lock(shared.mutex);
    std::vector<void*>& mine = shared.large[class_of(size)];
    if (!mine.empty()) {
      void* block = mine.back();
      mine.pop_back();
      shared.cached -= static_cast<std::int64_t>(size);
      return block;
    }
    // Before the process grows: give back cached blocks of other sizes that would lift it above 1.25 times what its
    // tensors have needed at the most.
    const std::int64_t live = shared.bytes.load(std::memory_order_relaxed) + static_cast<std::int64_t>(size);
    const std::int64_t allowed = std::max(live, shared.peak.load(std::memory_order_relaxed)) / 4 * 5;
    for (std::size_t c = all_classes; c-- > small_classes && shared.cached > 0 && live + shared.cached > allowed;) {
      while (!shared.large[c].empty() && live + shared.cached > allowed) {
        released.push_back(shared.large[c].back());
        shared.large[c].pop_back();
        const std::size_t power = std::size_t{1} << (10 + (c - 17) / 8);
        shared.cached -= static_cast<std::int64_t>(power + power / 8 * ((c - 17) % 8 + 1));
      }
    }
  }
  for (void* block : released) std::free(block);
  return system_block(size);
}

#endif

}  // namespace

#ifdef WEFT_NO_POOL

void* allocate_block(std::size_t bytes) { return system_block(rounded(bytes)); }
void free_block(void* block, std::size_t) noexcept { std::free(block); }

#else

void* allocate_block(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (size > small_limit) return large_block(size);
  LocalPool& local = local_pool;
  const std::size_t c = class_of(size);
  if (FreeBlock* block = local.small[c]) [[likely]] {
    local.small[c] = block->next;
    return block;
  }
  return small_block(size);
}

void free_block(void* block, std::size_t bytes) noexcept {
  const std::size_t size = rounded(bytes);
  if (size > small_limit) {
    SharedPool& shared = shared_pool();
    const std::lock_guard lock(shared.mutex);
    shared.large[class_of(size)].push_back(block);
    shared.cached += static_cast<std::int64_t>(size);
    return;
  }
  auto* freed = static_cast<FreeBlock*>(block);
  const std::size_t c = class_of(size);
  LocalPool& local = local_pool;
  if (local.registered && !local.closed) [[likely]] {
    freed->next = local.small[c];
    local.small[c] = freed;
    return;
  }
  SharedPool& shared = shared_pool();
  const std::lock_guard lock(shared.mutex);
  freed->next = shared.small[c];
  shared.small[c] = freed;
}

#endif

void count_nodes(int change) noexcept {
  if (LocalPool* local = this_pool()) {
    add_unshared(local->nodes, change);
    return;
  }
  const std::lock_guard lock(shared_pool().mutex);
  shared_pool().ended_nodes += change;
}

void count_storage(int change, std::size_t bytes) noexcept {
  const std::int64_t signed_bytes = change * static_cast<std::int64_t>(bytes);
  LocalPool* local = this_pool();
  if (local == nullptr) {
    shared_pool().bytes.fetch_add(signed_bytes, std::memory_order_relaxed);
    const std::lock_guard lock(shared_pool().mutex);
    shared_pool().ended_storages += change;
    return;
  }
  add_unshared(local->storages, change);
  add_unshared(local->bytes, signed_bytes);
  const std::int64_t pending = local->bytes.load(std::memory_order_relaxed);
  if (pending >= publish_bytes || pending <= -publish_bytes) publish_bytes_of(*local);
}

}  // namespace detail

MemoryStats memory_stats() {
  detail::SharedPool& shared = detail::shared_pool();
  const std::lock_guard lock(shared.mutex);
  MemoryStats stats;
  stats.nodes = shared.ended_nodes;
  stats.storages = shared.ended_storages;
  stats.bytes = shared.bytes.load(std::memory_order_relaxed);
  for (const detail::LocalPool* local : shared.locals) {
    stats.nodes += local->nodes.load(std::memory_order_relaxed);
    stats.storages += local->storages.load(std::memory_order_relaxed);
    stats.bytes += local->bytes.load(std::memory_order_relaxed);
  }
  stats.peak_bytes = std::max(stats.bytes, shared.peak.load(std::memory_order_relaxed));
  stats.cached_bytes = shared.cached;
  return stats;
}

void reset_peak_bytes() {
  detail::SharedPool& shared = detail::shared_pool();
  shared.peak.store(shared.bytes.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace weft

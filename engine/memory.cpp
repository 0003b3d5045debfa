#include <weft/engine/memory.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <utility>

#include <weft/engine/detail/blocks.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/storage.hpp>

namespace weft {
namespace detail {

thread_local constinit LocalPool local_pool{};

namespace {

constexpr std::size_t huge_page = 2 * 1024 * 1024;
constexpr std::size_t slab_bytes = huge_page;
constexpr std::size_t segment_bytes = 16 * huge_page;
constexpr std::int64_t always_allowed = 64 << 20;  // bytes that a process may hold, however few its tensors need
constexpr std::size_t header = sizeof(Storage);    // a power of two often stands behind it

constexpr std::size_t to_eighth(std::size_t bytes) {
  const std::size_t step = std::bit_floor(bytes - 1) / 8;  // a power of two: no division
  return (bytes + step - 1) & ~(step - 1);
}

// Sizes are rounded up to multiples of 64, above 1 KiB to eighths of a power of two, of large blocks without the
// header: at most 12.5% unused, and few enough classes that a block freed by one op fits the next.
constexpr std::size_t rounded(std::size_t bytes) {
  if (bytes <= tiny_limit) return std::max<std::size_t>((bytes + 63) & ~std::size_t{63}, 64);
  if (bytes <= small_limit) return to_eighth(bytes);
  return to_eighth(std::max(bytes - header, small_limit + 1)) + header;
}

// Consecutive numbers for consecutive sizes that rounded() returns.
constexpr std::size_t class_of(std::size_t size) {
  if (size <= tiny_limit) return size / 64;
  if (size > small_limit) size -= header;
  const int power = std::countr_zero(std::bit_floor(size - 1));
  return 17 + static_cast<std::size_t>(power - 10) * 8 + ((size - (std::size_t{1} << power)) >> (power - 3)) - 1;
}

constexpr std::size_t all_classes = 17 + 53 * 8;

// The unused rest of a slab.
struct Rest {
  Rest* next;
  std::byte* end;
};

// The number of blocks of a class that a thread gives away or takes at once: some 256 KiB.
constexpr auto batches = [] {
  std::array<std::uint32_t, small_classes> blocks{};
  for (std::size_t size = 64; size <= small_limit; size = rounded(size + 1))
    blocks[class_of(size)] = static_cast<std::uint32_t>(std::min<std::size_t>(256 * 1024 / size, 256));
  return blocks;
}();
static_assert(batches[1] == tiny_batch && batches[tiny_limit / 64] == tiny_batch);

struct SharedPool {
  std::mutex mutex;
  LocalPool* locals = nullptr;           // of the threads that run
  FreeBlock* small[small_classes] = {};  // lists that threads could not use
  Rest* rests = nullptr;                 // of slabs of threads that ended, with room for any small block
  FreeBlock* large[all_classes] = {};    // one list a class, newest first
  FreeBlock* emptied[all_classes] = {};  // of blocks whose pages went back to the system
  std::byte *segment = nullptr, *segment_end = nullptr;  // what is left of the newest
  std::int64_t cached = 0;                               // bytes in `large`
  std::int64_t ended_nodes = 0, ended_storages = 0;      // counts of threads that ended
  Counter bytes{0}, peak{0};
};

SharedPool& shared_pool() {
  static auto* pool = new SharedPool;  // never destroyed: tensors in static storage outlive any order of destruction
  return *pool;
}

void publish_bytes_of(LocalPool& local) {
  SharedPool& shared = shared_pool();
  const std::int64_t change = local.bytes.load(std::memory_order_relaxed);
  add_unshared(local.bytes, -change);
  const std::int64_t now = shared.bytes.fetch_add(change, std::memory_order_relaxed) + change;
  std::int64_t peak = shared.peak.load(std::memory_order_relaxed);
  while (now > peak && !shared.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

// A list of blocks for whoever needs it. The caller holds the lock.
void give(SharedPool& shared, std::size_t c, FreeBlock* list, std::uint32_t count) {
  if (list == nullptr) return;
  list->count = count;
  list->next_list = shared.small[c];
  shared.small[c] = list;
}

// Hands a thread's free blocks and counts over when it ends.
struct Closer {
  ~Closer() {
    LocalPool& local = local_pool;
    SharedPool& shared = shared_pool();
    publish_bytes_of(local);
    const std::lock_guard lock(shared.mutex);
    for (std::size_t c = 0; c < small_classes; ++c) {
      LocalPool::Class& mine = local.small[c];
      give(shared, c, std::exchange(mine.spare, nullptr), batches[c]);
      give(shared, c, std::exchange(mine.blocks, nullptr), std::exchange(mine.count, 0));
    }
    if (local.slab_end - local.slab >= static_cast<std::ptrdiff_t>(small_limit))
      shared.rests = new (local.slab) Rest{shared.rests, local.slab_end};
    local.slab = local.slab_end = nullptr;
    shared.ended_nodes += local.nodes.exchange(0);
    shared.ended_storages += local.storages.exchange(0);
    (local.previous != nullptr ? local.previous->next : shared.locals) = local.next;
    if (local.next != nullptr) local.next->previous = local.previous;
    local.open = false;
    local.closed = true;
  }
};

void register_local(LocalPool& local) {
  thread_local Closer closer;
  (void)closer;
  local.open = true;
  SharedPool& shared = shared_pool();
  const std::lock_guard lock(shared.mutex);
  local.next = shared.locals;
  if (local.next != nullptr) local.next->previous = &local;
  shared.locals = &local;
}

// The calling thread's pool; null once the thread is past its end.
LocalPool* this_pool() {
  LocalPool& local = local_pool;
  if (local.closed) return nullptr;
  if (!local.open) register_local(local);
  return &local;
}

// A wish that the whole huge pages of a block be such: a long tape or a large tensor is then not slowed down by page
// faults and address translation. The end that fills none stays small: a tensor of 4 MiB and its header would take 6.
void prefer_huge_pages(void* block, std::size_t size) {
#ifdef MADV_HUGEPAGE
  madvise(block, size / huge_page * huge_page, MADV_HUGEPAGE);
#endif
}

void* check_block(void* block, std::size_t size) {
  if (block == nullptr) fail("memory: could not get ", size, " bytes");
  return block;
}

void* heap_block(std::size_t size, std::size_t alignment) {
  return check_block(std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment), size);
}

#ifndef WEFT_NO_POOL

std::size_t to_pages(std::size_t bytes) {
  static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

// Memory that begins where a huge page does.
void* mapped_block(std::size_t bytes) {
  const std::size_t size = to_pages(bytes);
  // A huge page more than needed, so that there is such a place; what is before it and behind goes back.
  void* mapped = mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* begin = static_cast<std::byte*>(check_block(mapped == MAP_FAILED ? nullptr : mapped, size));
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
  if (before != 0) munmap(begin, before);
  munmap(begin + before + size, huge_page - before);
  prefer_huge_pages(begin + before, size);
  return begin + before;
}

// Blocks of a huge page or more are mapped one by one: in the heap, those that come and go with different sizes would
// leave holes that fit none of the next. Smaller ones lie side by side in huge pages, so that a net of thousands of
// them does not need hundreds of thousands of small pages. The caller holds the lock.
void* cut_block(SharedPool& shared, std::size_t size) {
  if (FreeBlock*& list = shared.emptied[class_of(size)]) return std::exchange(list, list->next);
  if (static_cast<std::size_t>(shared.segment_end - shared.segment) < size) {
    shared.segment = static_cast<std::byte*>(mapped_block(segment_bytes));
    shared.segment_end = shared.segment + segment_bytes;
  }
  return std::exchange(shared.segment, shared.segment + size);
}

// Gives a block's pages back to the system. Of one that was cut the place stays, and the pages that it shares or that
// hold the list.
void empty_block(SharedPool& shared, FreeBlock* block) {
  auto* const begin = reinterpret_cast<std::byte*>(block);
  if (block->size >= huge_page) {
    munmap(begin, to_pages(block->size));
    return;
  }
  const auto place = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t first = to_pages(place + sizeof(FreeBlock)) - place;
  const std::size_t last = to_pages(place + block->size + 1) - to_pages(1) - place;
  madvise(begin + first, last - first, MADV_DONTNEED);
  const std::lock_guard lock(shared.mutex);
  FreeBlock*& list = shared.emptied[class_of(block->size)];
  block->next = std::exchange(list, block);
}

void* small_block(std::size_t size) {
  const std::size_t c = class_of(size);
  LocalPool* local = this_pool();
  if (local == nullptr) return heap_block(size, 64);
  LocalPool::Class& mine = local->small[c];
  if (mine.spare != nullptr) {
    mine = {mine.spare, batches[c], nullptr};
  } else {
    SharedPool& shared = shared_pool();
    const std::lock_guard lock(shared.mutex);
    if (FreeBlock* list = shared.small[c]) {
      shared.small[c] = list->next_list;
      mine = {list, list->count, nullptr};
    } else if (local->slab_end - local->slab < static_cast<std::ptrdiff_t>(size) && shared.rests != nullptr) {
      local->slab = reinterpret_cast<std::byte*>(shared.rests);
      local->slab_end = shared.rests->end;
      shared.rests = shared.rests->next;
    }
  }
  if (FreeBlock* block = mine.blocks) {
    mine.blocks = block->next;
    --mine.count;
    return block;
  }
  if (local->slab_end - local->slab < static_cast<std::ptrdiff_t>(size)) {
    local->slab = static_cast<std::byte*>(heap_block(slab_bytes, huge_page));
    prefer_huge_pages(local->slab, slab_bytes);
    local->slab_end = local->slab + slab_bytes;
  }
  void* block = local->slab;
  local->slab += size;
  return block;
}

// The newest free block of a class, or null. The caller holds the lock.
FreeBlock* take_large(SharedPool& shared, std::size_t c) {
  FreeBlock* const block = shared.large[c];
  if (block == nullptr) return nullptr;
  shared.large[c] = block->next;
  shared.cached -= static_cast<std::int64_t>(block->size);
  return block;
}

// A block of `size`; where `may_grow`, of up to a quarter more, which `size` then says.
void* large_block(std::size_t& size, bool may_grow) {
  SharedPool& shared = shared_pool();
  FreeBlock* released = nullptr;
  {
    const std::lock_guard lock(shared.mutex);
    if (FreeBlock* block = take_large(shared, class_of(size))) return block;
    // Before the process grows: give back cached blocks of other sizes that would lift it above 1.25 times what its
    // tensors have needed at the most. That does not count the kernels' own memory: where it is most of a small
    // program's, it would be got from the system at every call.
    const std::int64_t live = shared.bytes.load(std::memory_order_relaxed) + static_cast<std::int64_t>(size);
    const std::int64_t allowed =
        std::max(std::max(live, shared.peak.load(std::memory_order_relaxed)) / 4 * 5, always_allowed);
    // Where every layer has other sizes, as in a DenseNet, that would go on at every step: a free block of the next two
    // classes does as well.
    if (may_grow && live + shared.cached > allowed)
      for (std::size_t c = class_of(size) + 1; c < std::min(class_of(size) + 3, all_classes); ++c)
        if (FreeBlock* block = take_large(shared, c)) {
          size = block->size;
          return block;
        }
    for (std::size_t c = all_classes; c-- > small_classes && shared.cached > 0 && live + shared.cached > allowed;)
      while (live + shared.cached > allowed) {
        FreeBlock* const block = take_large(shared, c);
        if (block == nullptr) break;
        block->next = std::exchange(released, block);
      }
  }
  while (released != nullptr) empty_block(shared, std::exchange(released, released->next));
  if (size >= huge_page) return mapped_block(size);
  const std::lock_guard lock(shared.mutex);
  return cut_block(shared, size);
}

#endif

}  // namespace

#ifdef WEFT_NO_POOL

void* allocate_block(std::size_t bytes) { return heap_block(rounded(bytes), 64); }
void* allocate_at_least(std::size_t& bytes) { return allocate_block(bytes); }
void free_block(void* block, std::size_t) noexcept { std::free(block); }

#else

void* allocate_block(std::size_t bytes) {
  std::size_t size = rounded(bytes);
  if (size > small_limit) return large_block(size, false);
  LocalPool& local = local_pool;
  const std::size_t c = class_of(size);
  LocalPool::Class& mine = local.small[c];
  if (FreeBlock* block = mine.blocks) [[likely]] {
    mine.blocks = block->next;
    --mine.count;
    return block;
  }
  return small_block(size);
}

void* allocate_at_least(std::size_t& bytes) {
  std::size_t size = rounded(bytes);
  if (size <= small_limit) return allocate_block(bytes);
  const std::size_t wanted = size;
  void* const block = large_block(size, true);
  if (size != wanted) bytes = size;
  return block;
}

void free_block(void* block, std::size_t bytes) noexcept {
  const std::size_t size = rounded(bytes);
  auto* freed = static_cast<FreeBlock*>(block);
  const std::size_t c = class_of(size);
  if (size > small_limit) {
    SharedPool& shared = shared_pool();
    freed->size = size;
    const std::lock_guard lock(shared.mutex);
    freed->next = std::exchange(shared.large[c], freed);
    shared.cached += static_cast<std::int64_t>(size);
    return;
  }
  LocalPool* local = &local_pool;
  if (!local->open) [[unlikely]]
    local = this_pool();
  if (local == nullptr) {
    freed->next = nullptr;
    SharedPool& shared = shared_pool();
    const std::lock_guard lock(shared.mutex);
    give(shared, c, freed, 1);
    return;
  }
  LocalPool::Class& mine = local->small[c];
  if (mine.count == batches[c]) [[unlikely]] {
    if (mine.spare != nullptr) {
      SharedPool& shared = shared_pool();
      const std::lock_guard lock(shared.mutex);
      give(shared, c, mine.spare, batches[c]);
    }
    mine = {nullptr, 0, mine.blocks};
  }
  freed->next = mine.blocks;
  mine.blocks = freed;
  ++mine.count;
}

#endif

void publish(Counter LocalPool::*objects, std::int64_t change, std::int64_t bytes) noexcept {
  if (LocalPool* local = this_pool()) {
    add_unshared(local->*objects, change);
    add_unshared(local->bytes, bytes);
    publish_bytes_of(*local);
    return;
  }
  SharedPool& shared = shared_pool();
  shared.bytes.fetch_add(bytes, std::memory_order_relaxed);
  const std::lock_guard lock(shared.mutex);
  (objects == &LocalPool::nodes ? shared.ended_nodes : shared.ended_storages) += change;
}

}  // namespace detail

MemoryStats memory_stats() {
  detail::SharedPool& shared = detail::shared_pool();
  const std::lock_guard lock(shared.mutex);
  MemoryStats stats;
  stats.nodes = shared.ended_nodes;
  stats.storages = shared.ended_storages;
  stats.bytes = shared.bytes.load(std::memory_order_relaxed);
  for (const detail::LocalPool* local = shared.locals; local != nullptr; local = local->next) {
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

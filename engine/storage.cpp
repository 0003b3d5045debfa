#include <weft/engine/storage.hpp>

#include <algorithm>
#include <new>

#include <weft/engine/detail/blocks.hpp>

namespace weft::detail {

Ref<Storage> make_storage(std::size_t bytes) {
  std::size_t size = sizeof(Storage) + std::max<std::size_t>((bytes + 63) / 64 * 64, 64);
  auto* storage = new (size <= tiny_limit ? take_block(size) : allocate_at_least(size)) Storage;
  const std::size_t capacity = size - sizeof(Storage);
  storage->capacity = capacity;
  // Each storage counts from a number of its own, far from its neighbours': a tensor whose storage was exchanged is
  // told from an unchanged one by the version alone.
  thread_local constinit std::uint32_t made = 0;
  const auto where = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(storage) / 64);
  storage->version.store(++made * 0x9E3779B1U + where * 0x85EBCA6BU, std::memory_order_relaxed);
  count(&LocalPool::storages, 1, capacity);
  return Ref<Storage>::adopt(storage);
}

void release(Storage* storage) noexcept {
  const std::size_t capacity = storage->capacity;
  storage->~Storage();
  return_block(storage, sizeof(Storage) + capacity);
  count(&LocalPool::storages, -1, capacity);
}

}  // namespace weft::detail

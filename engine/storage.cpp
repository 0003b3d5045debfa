#include <weft/engine/storage.hpp>

#include <algorithm>
#include <new>

namespace weft::detail {

Ref<Storage> make_storage(std::size_t bytes) {
  const std::size_t capacity = std::max<std::size_t>((bytes + 63) / 64 * 64, 64);
  auto* storage = new (allocate_block(sizeof(Storage) + capacity)) Storage;
  storage->capacity = capacity;
  count_storage(1, capacity);
  return Ref<Storage>::adopt(storage);
}

void release(Storage* storage) noexcept {
  const std::size_t capacity = storage->capacity;
  storage->~Storage();
  free_block(storage, sizeof(Storage) + capacity);
  count_storage(-1, capacity);
}

}  // namespace weft::detail

#include <weft/engine/detail/extras.hpp>

namespace weft {
namespace detail {

HookHandle HookList::add(std::shared_ptr<HookList>& list, std::uint32_t output, Hook hook) {
  if (!hook) fail("register_hook: got an empty function");
  if (!list) list = std::make_shared<HookList>();
  const auto entry = std::make_shared<HookEntry>(output, std::move(hook));
  const std::lock_guard lock(list->mutex_);
  list->entries_.push_back(entry);
  return {list, entry};
}

void HookList::remove(const HookEntry* entry) {
  std::shared_ptr<HookEntry> last;  // freed after the lock: what a hook holds may have hooks of its own
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& listed) { return listed.get() == entry; });
  if (at == entries_.end()) return;
  last = std::move(*at);
  last->removed = true;
  entries_.erase(at);
}

Tensor HookList::run(std::uint32_t output, Tensor gradient) {
  const auto entries = [&] {
    const std::lock_guard lock(mutex_);
    return entries_;
  }();
  for (const auto& entry : entries) {
    if (entry->output != output || entry->removed) continue;
    Tensor replaced = entry->call(gradient);
    if (!replaced.defined()) continue;
    if (replaced.shape() != gradient.shape() || replaced.dtype() != gradient.dtype())
      fail("hook: returned ", replaced.dtype(), " ", replaced.shape(), " for a gradient of ", gradient.dtype(), " ",
           gradient.shape());
    gradient = std::move(replaced);
  }
  return gradient;
}

}  // namespace detail

void HookHandle::remove() {
  const auto entry = entry_.lock();
  if (const auto list = list_.lock(); list && entry) list->remove(entry.get());
}

}  // namespace weft

// The constants that ops of the tape were given: numbered, so that a drawing knows them again, and named.
#include <unordered_map>

#include <weft/engine/detail/extras.hpp>

namespace weft::detail {
namespace {

// The constants that may have a name. They are not held: their numbers are forgotten some time after their end.
struct Named {
  std::mutex mutex;
  std::unordered_map<std::uint32_t, std::weak_ptr<Extras>> extras;
  std::size_t prune_at = 64;
};

Named& named() {
  static auto* const named = new Named;  // never destroyed: constants in static storage may be named late
  return *named;
}

std::atomic<std::uint32_t> numbers_given{0};

}  // namespace

std::uint32_t new_number_of_constant(TensorImpl* impl) {
  const auto number = 1 + numbers_given.fetch_add(1, std::memory_order_relaxed) % std::uint32_t{max_outputs};
  std::uint32_t before = 0;
  // Another thread may be the first.
  if (!impl->constant.compare_exchange_strong(before, number, std::memory_order_relaxed)) return before;
  if (impl->extras) note_extras_of_constant(impl);
  return number;
}

void note_extras_of_constant(TensorImpl* impl) {
  Named& known = named();
  const std::lock_guard lock(known.mutex);
  if (known.extras.size() >= known.prune_at) {
    std::erase_if(known.extras, [](const auto& entry) { return entry.second.expired(); });
    known.prune_at = 2 * known.extras.size() + 64;
  }
  known.extras[impl->constant.load(std::memory_order_relaxed)] = impl->extras;
}

std::string name_of_constant(std::uint32_t number) {
  Named& known = named();
  const std::lock_guard lock(known.mutex);
  const auto found = known.extras.find(number);
  if (found == known.extras.end()) return {};
  const auto extras = found->second.lock();
  return extras ? extras->name : std::string();
}

}  // namespace weft::detail

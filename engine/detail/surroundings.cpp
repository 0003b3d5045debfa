#include <weft/engine/detail/surroundings.hpp>

namespace weft::detail {
namespace {

Surroundings& of_thread() {
  thread_local Surroundings all;
  return all;
}

}  // namespace

const Surroundings& surroundings() { return of_thread(); }

Surrounded::Surrounded(const Surroundings& by) {
  try {
    for (const auto& one : by) {
      entered_.push_back(one->enter());
      of_thread().push_back(one);
    }
  } catch (...) {
    leave();
    throw;
  }
}

void Surrounded::leave() {
  while (!entered_.empty()) {
    of_thread().pop_back();
    entered_.pop_back();
  }
}

}  // namespace weft::detail

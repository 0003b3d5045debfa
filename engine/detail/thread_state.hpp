#pragma once
// What the engine keeps for each thread.
#include <cstdint>

namespace weft {
class BackwardObserver;
class Observe;
}  // namespace weft

namespace weft::detail {

struct ThreadState {
  bool recording = true;
  bool checking_anomalies = false;
  bool uses_recipes = false;           // see engine/recompute.hpp
  std::uint32_t scope = 0;             // where in the net: see engine/scope.hpp
  const Observe* observers = nullptr;  // told of every op, unless null
  BackwardObserver* backward_observer = nullptr;
};

extern thread_local constinit ThreadState this_thread;

}  // namespace weft::detail

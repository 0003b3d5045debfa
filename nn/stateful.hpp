#pragma once
// What a checkpoint holds besides the module: the states of what trains it.
#include <weft/nn/named_tensors.hpp>

#include <functional>

namespace weft::nn {

/// Something whose state is saved and loaded by name.
class Stateful {
 public:
  virtual ~Stateful() = default;

  /// Everything needed to go on, by name.
  virtual NamedTensors state() const = 0;
  /// Checks a saved state and returns what takes it over: nothing changes before that is called, once, and then nothing
  /// fails. Throws Error unless the state fits.
  virtual std::function<void()> prepare_load(const NamedTensors& state) = 0;
  /// Takes over a saved state. Throws Error, and changes nothing, unless it fits.
  void load_state(const NamedTensors& state) { prepare_load(state)(); }
  /// Throws Error unless load_state would take this.
  void check_state(const NamedTensors& state) { static_cast<void>(prepare_load(state)); }

 protected:
  Stateful() = default;
  Stateful(const Stateful&) = default;
  Stateful& operator=(const Stateful&) = default;
};

}  // namespace weft::nn

#pragma once
// What a checkpoint holds besides the module: the states of what trains it.
#include <weft/nn/named_tensors.hpp>

namespace weft::nn {

/// Something whose state is saved and loaded by name.
class Stateful {
 public:
  virtual ~Stateful() = default;

  /// Everything needed to go on, by name.
  virtual NamedTensors state() const = 0;
  /// Throws Error unless load_state would take this.
  virtual void check_state(const NamedTensors& state) const = 0;
  /// Takes over a saved state. Throws Error, and changes nothing, unless check_state accepts it.
  virtual void load_state(const NamedTensors& state) = 0;

 protected:
  Stateful() = default;
  Stateful(const Stateful&) = default;
  Stateful& operator=(const Stateful&) = default;
};

}  // namespace weft::nn

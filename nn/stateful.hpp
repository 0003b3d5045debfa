#pragma once
// What a checkpoint holds besides the module: the states of what trains it.
#include <weft/nn/named_tensors.hpp>

#include <functional>
#include <memory>

namespace weft {
class Generator;
}  // namespace weft

namespace weft::nn {

class Module;

/// Something whose state is saved and loaded by name: all that it needs to go on to the bit, and that the program which
/// makes it again does not give it. Optimisers, schedules, averages, DataLoader and Standardizer are; a class of one's
/// own derives from it.
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

/// A part of a checkpoint beside its module: something Stateful, a generator (its "seed" and "offset", the bits of each
/// as i64), or another module. It refers to that, which has to outlive it. Throws Error if it is null.
class StatefulPart {
 public:
  StatefulPart(Stateful* part);
  StatefulPart(Generator* part);
  StatefulPart(Module* part);
  Stateful* operator->() const { return part_.get(); }

 private:
  std::shared_ptr<Stateful> part_;
};

/// Parts with their names: {{"optimizer", &adam}, {"loader", &loader}, {"generator", &default_generator()}}. A vector,
/// and a type of its own so that options in braces are not taken for one.
struct StatefulParts : std::vector<std::pair<std::string, StatefulPart>> {
  StatefulParts() = default;
  StatefulParts(std::initializer_list<value_type> parts) : vector(parts) {}
};

}  // namespace weft::nn

#pragma once
// What the library itself needs of a module beyond its public face.
#include <weft/nn/module.hpp>

#include <unordered_set>

namespace weft::nn {

struct ModuleAccess {
  struct Copies;
  struct Exchange;
  /// A deep copy. Throws Error if it is not known how to make one.
  static ModulePtr copy(const Module& module);
  /// What the module has for an entry at the moment.
  static Tensor tensor(const Module::Entry& entry);
  /// Calls f(owner, dotted name, entry) for everything below a module, each module entered once.
  template <class F>
  static void walk(const Module& module, const std::string& prefix, std::unordered_set<const Module*>& seen,
                   const F& f);
  /// Whether `wanted` is the module or below it.
  static bool holds(const Module& module, const Module& wanted);
  /// The same for its parameters or its buffers, shared ones once.
  template <class F>
  static void each_tensor(const Module& module, bool parameters, const F& f);
  static NamedTensors tensors(const Module& module, bool parameters);
  /// Its parameters, then its buffers: handles, by the names under which they are saved.
  static NamedTensors tensors(const Module& module);
  /// The same, to be saved by `op`. Throws Error if there are none.
  static NamedTensors tensors_to_save(const char* op, const Module& module);
  /// What the module of each of them says of its axes.
  static std::vector<std::vector<int>> pytorch_axes(const Module& module);
  /// The number of elements of the parameters that are the module's own, not its children's.
  static std::int64_t own_parameters(const Module& module);
  static bool has_children(const Module& module);
  /// The dotted path under which its ops are recorded: from the outermost owner, where named_modules() begins below.
  static std::string place(const Module& module);
  static void set_training(Module& module, bool on) { module.training_ = on; }
};

/// The module's struct, as users write it: "Conv2d", "MyBlock".
std::string type_name(const Module& module);

}  // namespace weft::nn

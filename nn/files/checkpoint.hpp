#pragma once
// Checkpoints: the state of a module, and of what trains it, by name in a safetensors file.
#include <weft/nn/files/safetensors.hpp>

namespace weft::nn {

class Module;
class Stateful;

/// Options of load.
struct LoadOptions {
  bool strict = true;  ///< the file and the module have the same tensors; else what both have is loaded
};

/// Writes the module's parameters and buffers under their dotted names, the optimiser's state under "optimizer/", the
/// schedule's under "schedule/", and notes. A file of this name is there whole or as it was. Throws Error if it cannot
/// be written.
void save(const std::string& path, const Module& module, const Stateful* optimizer = nullptr,
          const Stateful* schedule = nullptr, const Notes& notes = {});

/// Reads what save wrote and returns the notes. State in the file for an optimiser or schedule that is not asked for is
/// left alone. Throws Error naming the tensor that is missing, unexpected or of another shape or dtype; then nothing
/// has been changed.
Notes load(const std::string& path, Module& module, Stateful* optimizer = nullptr, Stateful* schedule = nullptr,
           LoadOptions options = {});
inline Notes load(const std::string& path, Module& module, LoadOptions options) {
  return load(path, module, nullptr, nullptr, options);
}

}  // namespace weft::nn

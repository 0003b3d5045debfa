#pragma once
// Checkpoints: the state of a module, and of what trains it, by name in a safetensors file.
#include <weft/nn/state.hpp>

namespace weft::nn {

class Stateful;

/// Writes the module's parameters and buffers under their dotted names, the optimiser's state under "optimizer/", the
/// schedule's under "schedule/", and notes. A file of this name is there whole or as it was. Throws Error if it cannot
/// be written, or if the module has neither parameters nor buffers.
void save(const std::string& path, const Module& module, const Stateful* optimizer = nullptr,
          const Stateful* schedule = nullptr, const Notes& notes = {});

/// Reads what save wrote, or other weights in a safetensors file, and returns what became of them. State in the file
/// for an optimiser or schedule that is not asked for is left alone; what is asked for has to be there in whole. Throws
/// Error naming the tensor, and has changed nothing, where load_state would. Parts of a checkpoint:
///   nn::load(path, net, {.strict = false})                    what has the same name, shape and dtype
///   nn::load(path, encoder, {.prefix = "encoder."})           one part of a larger net
///   nn::load(path, net, {.rename = [](const std::string& name) { return name.starts_with("head.") ? "" : name; }})
LoadReport load(const std::string& path, Module& module, Stateful* optimizer = nullptr, Stateful* schedule = nullptr,
                const LoadOptions& options = {});
inline LoadReport load(const std::string& path, Module& module, const LoadOptions& options) {
  return load(path, module, nullptr, nullptr, options);
}

}  // namespace weft::nn

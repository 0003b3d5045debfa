#pragma once
// The state of a module, its parameters and buffers by name: in memory, as nn/files/checkpoint.hpp has it in files.
#include <weft/nn/named_tensors.hpp>

#include <functional>

namespace weft::nn {

class Module;

/// Options of load and load_state.
struct LoadOptions {
  /// What is saved and the module have the same tensors, by name, shape and dtype; else what fits is loaded.
  bool strict = true;
  /// Only saved tensors whose name begins with this are looked at, without it: "encoder." loads one part of a net.
  std::string prefix = {};
  /// The module's name for a saved one, of which the prefix is off; an empty one leaves the tensor out.
  std::function<std::string(const std::string& saved)> rename = {};
};

/// What load, load_state and load_pytorch did with each tensor.
struct LoadReport {
  std::vector<std::string> loaded;      ///< the module's names
  std::vector<std::string> sources;     ///< for each of them the saved name, prefix and all
  std::vector<std::string> missing;     ///< the module's names of what is not saved
  std::vector<std::string> unexpected;  ///< the saved names, prefix and all, of what the module does not have
  std::vector<std::string> misshapen;   ///< the module's names of what is saved in another shape or dtype
  std::vector<std::string> transposed;  ///< those of `loaded` whose axes were brought from PyTorch's order into ours
  std::vector<std::string> converted;   ///< those of `loaded` that load_pytorch brought from f32 to f64 or back
  Notes notes;                          ///< of a file
};

/// Copies of the module's parameters and buffers under their dotted names, as constants: a state to come back to, which
/// training the module does not change. (named_parameters() and named_buffers() are handles.)
NamedTensors state(const Module& module);

/// Copies saved values into the module's parameters and buffers. Throws Error naming the tensor, and has changed
/// nothing, if strict and something is missing, unexpected or misshapen, and in any case if nothing would be loaded or
/// two saved tensors get the same name.
LoadReport load_state(Module& module, const NamedTensors& saved, const LoadOptions& options = {});

}  // namespace weft::nn

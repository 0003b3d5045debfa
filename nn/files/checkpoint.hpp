#pragma once
// Checkpoints: the state of a module, and of what trains it, by name in a safetensors file.
#include <weft/nn/state.hpp>
#include <weft/nn/stateful.hpp>

namespace weft::nn {

/// Writes the module's parameters and buffers under their dotted names, the state of each part under its name and a
/// slash ("optimizer/lr"), and notes. Training goes on from it as if it had never stopped, to the bit, if everything
/// that has a state is among the parts:
///
///     const nn::StatefulParts parts = {{"optimizer", &adam}, {"schedule", &cosine}, {"loader", &loader},
///                                      {"average", &ema}, {"generator", &default_generator()}};
///     nn::save(path, net, parts);  // at the end of a loop's body: the batch that it has counts as done
///     nn::load(path, net, parts);  // in another process, after everything has been made as it was there
///
/// Dropout and stochastic depth draw from the default generator. Gradients are not saved.
///
/// A file of this name is there whole or as it was, whenever the process is killed; all that one killed in the midst of
/// it leaves behind is a file that has ".tmp" and more after the name. Throws Error if the file cannot be written, if
/// the module has neither parameters nor buffers, or if a part's name is empty, has a slash or comes twice.
void save(const std::string& path, const Module& module, const StatefulParts& parts, const Notes& notes = {});
/// The same with the parts "optimizer" and "schedule", or without.
void save(const std::string& path, const Module& module, const Stateful* optimizer = nullptr,
          const Stateful* schedule = nullptr, const Notes& notes = {});

/// Reads what save wrote, or other weights in a safetensors file, and returns what became of them. Parts in the file
/// that are not asked for are left alone, and so is all that has a slash in its name; what is asked for has to be there
/// in whole. Throws Error naming the tensor or part, and has changed nothing, where load_state would. Of a checkpoint:
///   nn::load(path, net, {{"loader", &loader}})                this part and the net
///   nn::load(path, net, {.prefix = "average/module."})        the averaged weights into the net
///   nn::load(path, net, {.strict = false})                    what has the same name, shape and dtype
///   nn::load(path, encoder, {.prefix = "encoder."})           one part of a larger net
///   nn::load(path, net, {.rename = [](const std::string& name) { return name.starts_with("head.") ? "" : name; }})
LoadReport load(const std::string& path, Module& module, const StatefulParts& parts, const LoadOptions& options = {});
/// The same with the parts "optimizer" and "schedule", or without.
LoadReport load(const std::string& path, Module& module, Stateful* optimizer = nullptr, Stateful* schedule = nullptr,
                const LoadOptions& options = {});
inline LoadReport load(const std::string& path, Module& module, const LoadOptions& options) {
  return load(path, module, nullptr, nullptr, options);
}

}  // namespace weft::nn

#pragma once
// Weights from and to PyTorch.
#include <weft/nn/state.hpp>

namespace weft::nn {

class Module;

/// Loads a PyTorch state dict into the module: a file that torch.save wrote (its zip format, of PyTorch 1.6 and later)
/// or a safetensors file. It is as nn::load otherwise, strict by default, with a prefix and renaming, but
/// - axes are brought from PyTorch's order into ours, as each layer says (Module::pytorch_axes), and reported as
///   `transposed`; shapes in an Error are PyTorch's. Axes of size 1 at the end of a shape make no difference, so that a
///   1x1 convolution fits a Projection, and a linear layer too;
/// - f32 and f64 are converted into each other, reported as `converted`; f16 and bf16 are read as f32, shorter signed
///   integers as i64, bool as u8. Integers are not converted to floating numbers or back;
/// - num_batches_tracked of batch norm is left out: nothing here counts them.
/// Dictionaries and lists inside each other have names joined by dots: {"model": net.state_dict(), "epoch": 3} is
/// loaded with {.prefix = "model."}, and numbers and text are the report's notes, {"epoch", "3"}.
///
/// The file need not be trusted. Of a pickle only tensors, containers, numbers and text are understood, and nothing in
/// it is run; sizes are checked against the file before memory is taken. Throws Error naming what is wrong, and has
/// changed nothing, where nn::load would, and for anything else in a pickle, such as a whole module.
LoadReport load_pytorch(const std::string& path, Module& module, const LoadOptions& options = {});

/// Writes the module's parameters and buffers under their dotted names into a safetensors file, with the axes in
/// PyTorch's order: in Python `net.load_state_dict(safetensors.torch.load_file(path))` takes them, strictly, for a net
/// whose layers have the same names. A Projection is a 1x1 convolution there. A file of this name is there whole or as
/// it was. Throws Error as nn::save does.
void save_pytorch(const std::string& path, const Module& module);

}  // namespace weft::nn

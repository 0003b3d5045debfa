#pragma once
// The safetensors format: tensors by name, and text by name, in one file. https://github.com/huggingface/safetensors
#include <weft/nn/named_tensors.hpp>

namespace weft::nn {

/// What a safetensors file holds.
struct TensorFile {
  NamedTensors tensors;  ///< in the order of their data
  Notes notes;           ///< the format's __metadata__
};

/// Writes a new file under a temporary name in the same directory, syncs and renames it: a file of this name is there
/// whole or as it was. Throws Error if it cannot be written or a name stands twice.
void write_safetensors(const std::string& path, const NamedTensors& tensors, const Notes& notes = {});

/// Reads f32, f64, i64 and u8 tensors, f16 and bf16 as f32, shorter signed integers as i64, bool as u8. The file need
/// not be trusted: everything its header says is checked against the file's size before memory is taken. Throws Error
/// naming the tensor that is wrong.
TensorFile read_safetensors(const std::string& path);

}  // namespace weft::nn

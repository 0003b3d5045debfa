#pragma once
// A net as an ONNX file, written from what one run of it does.
#include <weft/nn/module.hpp>

#include <functional>
#include <string>
#include <vector>

namespace weft::onnx {

struct SaveOptions {
  std::vector<std::string> input_names = {};   ///< by default "input", or "input_0", "input_1", ...
  std::vector<std::string> output_names = {};  ///< by default "output", or "output_0", "output_1", ...
  /// Images that come in and go out stay {batch, height, width, channels}; else they are {batch, channels, height,
  /// width} in the file.
  bool channels_last = false;
  /// The first axis of the inputs that are as long there as the first input may have any size: the net is run twice,
  /// the second time with one row more, and what differs hangs on it.
  bool symbolic_batch = true;
  /// What ONNX has no operator for is called by its own name and defined in the file, as a function of the domain
  /// "weft" that load() knows; else its parts are written where it stands.
  bool functions = true;
};

/// What is run: the inputs' results.
using Forward = std::function<Tensors(const Tensors&)>;

/// Writes the net as it evaluates, as ONNX (operators of opset 17): every op that its forward runs on the example
/// becomes a node called after its module, parameters and buffers keep their dotted names. What the forward decides by
/// values, or computes outside of ops, is written as it was for the example. Throws Error, and leaves no file, where an
/// op has no counterpart in ONNX, and for more than 2 GB. Modes are put back, whatever happens.
void save(const std::string& path, nn::Module& net, const Tensor& example, const SaveOptions& options = {});

/// The same of a net that takes or gives several tensors: `forward` calls it.
void save(const std::string& path, nn::Module& net, const Forward& forward, const Tensors& examples,
          const SaveOptions& options = {});

}  // namespace weft::onnx

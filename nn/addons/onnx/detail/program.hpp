#pragma once
// A graph that has been read, to be run.
#include <weft/nn/addons/onnx/detail/reader.hpp>
#include <weft/nn/addons/onnx/load.hpp>

#include <deque>
#include <unordered_map>

namespace weft::onnx::detail {

/// A node, ready to run.
struct Step {
  std::string where;
  std::vector<int> inputs, outputs;
  Run run;
  std::vector<int> last_uses;  // values that no later step takes
};

/// What the net takes.
struct ProgramInput {
  int slot;
  DType dtype;
  std::vector<std::int64_t> sizes;  // -1: any
  bool ranked, image;
};

/// A tensor of the file that belongs to the net: a parameter, or a buffer.
struct Owned {
  int slot;
  std::string name;
  Tensor tensor;  // in `order`
  Axes order;     // empty: as the file has it
  bool trained;
};

class Program {
 public:
  std::vector<std::string> input_names, output_names;
  std::vector<ProgramInput> inputs;
  std::vector<int> outputs;
  std::vector<bool> image_outputs;  // given channels last, if they are there so
  std::vector<Step> steps;
  std::vector<Slot> constants;  // one a value; empty: computed or owned
  std::vector<Owned> owned;
  bool channels_first = false;
  /// The tensors that the module holds in the place of `owned`'s.
  std::deque<nn::Param> parameters;
  std::deque<nn::Buffer> buffers;
  std::vector<const Tensor*> held;  // of each of `owned`

  Tensors run(const Tensors& given) const;
};

/// Throws Error where something is not among the operators that are known, or not whole.
std::unique_ptr<Program> read_program(const pb::ModelProto& model, const LoadOptions& options);

}  // namespace weft::onnx::detail

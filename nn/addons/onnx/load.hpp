#pragma once
// A net from an ONNX file.
#include <weft/nn/module.hpp>

#include <memory>
#include <string>
#include <vector>

namespace weft::onnx {

struct LoadOptions {
  /// Images are taken and given as the file says, {batch, channels, height, width}; else as everywhere in weft,
  /// {batch, height, width, channels}.
  bool channels_first = false;
};

namespace detail {
class Program;
}

/// The net of an ONNX file, computed by weft's ops. Its parameters and buffers are called as the file's initialisers,
/// weights shaped as weft's layers have them; parameters require gradients. It always evaluates: a batch norm keeps its
/// statistics, in training too. It cannot be copied.
class Graph : public nn::Module {
 public:
  /// Internal: load() makes one.
  explicit Graph(std::unique_ptr<detail::Program> program);
  ~Graph() override;
  Graph(const Graph&) = delete;

  /// The result for the one input. Throws Error if there are other numbers of either.
  Tensor forward(const Tensor& x) override;
  /// The results for all inputs, in the file's order. Throws Error for another number of inputs, another dtype, or a
  /// shape that the file rules out.
  Tensors run(const Tensors& inputs);

  const std::vector<std::string>& input_names() const;
  const std::vector<std::string>& output_names() const;

 private:
  std::unique_ptr<detail::Program> program_;
};

/// Reads a net that save() has written, or another of its operators (opsets 11 to 17; docs/onnx.md lists them). Throws
/// Error naming node and operator where something is not among them, and for a file that is not whole.
std::shared_ptr<Graph> load(const std::string& path, const LoadOptions& options = {});

}  // namespace weft::onnx

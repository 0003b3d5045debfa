#pragma once
// What tensors are called in drawings and listings of the tape.
#include <weft/engine/detail/node.hpp>

#include <unordered_map>

namespace weft::detail {

/// What was named: leaves, constants, and computed tensors by the node and output that made them. Otherwise a tensor's
/// own name counts.
class Names {
 public:
  explicit Names(const std::vector<std::pair<std::string, Tensor>>& names);

  /// Of the leaf or constant at the other end of an edge; empty if it has none, or the edge comes from a node.
  std::string of_input(const Edge& edge) const;
  std::string of_leaf(TensorImpl* leaf) const;
  /// Of the outputs of a node, by commas.
  std::string of_node(const Node* node) const;

 private:
  std::unordered_map<const TensorImpl*, std::string> leaves_;
  std::unordered_map<std::uint32_t, std::string> constants_;
  std::unordered_map<const Node*, std::vector<std::string>> computed_;
};

/// "f32 {2, 3}", of several outputs by commas.
std::string outputs_text(const Node* node);

}  // namespace weft::detail

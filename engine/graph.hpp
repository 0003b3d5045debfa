#pragma once
// Looking at what has been recorded.
#include <weft/engine/tensor.hpp>

#include <utility>

namespace weft {

/// The tape behind `result` as a Graphviz digraph: a box for each leaf, an ellipse for each op, shapes on the edges.
/// `names` labels leaves or computed tensors, as named_parameters() gives them; otherwise a tensor's own name is used.
std::string to_dot(const Tensor& result, const std::vector<std::pair<std::string, Tensor>>& names = {});

/// One line for each recorded op behind `result`, oldest first: number, op and its fields, where its inputs come from,
/// shapes of its outputs, bytes it saved, the module in which it was recorded.
std::string print_tape(const Tensor& result);

struct TapeStats {
  std::int64_t nodes = 0;  ///< recorded ops that `result` depends on
  std::int64_t bytes = 0;  ///< what these keep for backward, each buffer counted once
};
TapeStats tape_stats(const Tensor& result);

}  // namespace weft

#pragma once
// Looking at what has been recorded.
#include <weft/engine/tensor.hpp>

#include <utility>

namespace weft {

struct DotOptions {
  bool by_module = false;  ///< a box for each module instead of an ellipse for each op
  int depth = 2;           ///< by module: boxes are the modules that many names below the root, "stage1.0"
};

/// The tape behind `result` as a Graphviz digraph, for `dot -Tsvg`: an ellipse for each op, framed by modules, a blue
/// box for each leaf, a yellow one for each constant that an op was given, shapes on the edges. `names` labels leaves,
/// constants and computed tensors, as named_parameters() gives them; otherwise a leaf's or constant's own name is used
/// (of a constant as long as it lives), or "leaf" and "input". Ops that were given constants only are not on the tape:
/// what they made is an "input" of its own.
///
/// Shortcuts are drawn bold and red: the edges u -> v for which another path leads from u to v, through other ops. So
/// the edge around the body of a residual, dense or highway connection is one, and those of a projection, whose path
/// has ops itself, are not. A weight that is used twice makes no shortcut: from leaves and constants only edges count
/// that look like data, with the axes and the first size of what the op gives.
///
/// By module, consecutive ops of one module are a box, with those of everything below it, named by its path and listing
/// its ops. What modules with children do themselves is in ellipses where they are above the depth, and at the depth
/// from the op on that ends a residual block: that joins a body with the shortcut around it, or with the projection
/// beside it, which then are boxes of their own. Of leaves and constants data only are shown, by the same rule. Long
/// nets go on in further columns. With depth 2 a ResNet-20 fits a screen, deeper ones with 1.
std::string to_dot(const Tensor& result, const std::vector<std::pair<std::string, Tensor>>& names = {},
                   DotOptions options = {});

/// One line for each recorded op behind `result`, oldest first: number, op and its fields, where its inputs come from,
/// shapes of its outputs, bytes it saved, the module in which it was recorded. `names` as for to_dot: they stand before
/// the inputs' shapes, and before the arrow's for what was computed.
std::string print_tape(const Tensor& result, const std::vector<std::pair<std::string, Tensor>>& names = {});

struct TapeStats {
  std::int64_t nodes = 0;  ///< recorded ops that `result` depends on
  std::int64_t bytes = 0;  ///< what these keep for backward, each buffer counted once
};
TapeStats tape_stats(const Tensor& result);

}  // namespace weft

#pragma once
// What is behind a result as boxes and arrows, before it is written down.
#include <weft/engine/detail/names.hpp>

namespace weft::detail {

struct Vertex {
  enum class Kind : std::uint8_t { op, module, leaf, constant } kind = Kind::op;
  std::string name = {};                // given, or a leaf's or constant's own; may be empty
  std::vector<std::string> lines = {};  // what else its label says
  std::string module = {};              // the dotted path of the module in which an op was recorded
};

struct Arrow {
  std::size_t from = 0, to = 0;
  std::string shape = {};
  bool data = true;       // what goes through the net: not a weight, but what an op or the user gave it to work on
  bool shortcut = false;  // set by find_shortcuts
};

/// The vertices stand in the order in which they were computed, leaves and constants before what first uses them; the
/// arrows in the order of their ends.
struct Picture {
  std::vector<Vertex> vertices;
  std::vector<Arrow> arrows;
};

/// Every op, leaf and constant behind a result.
Picture picture_of(const Tensor& result, const Names& names);

/// Marks the arrows u -> v of data for which another path leads from u to v through other vertices. Time grows with the
/// arrows and with how many shortcuts span them.
void find_shortcuts(Picture& picture);

/// A box for each module, the deeper ones folded into those `depth` names below the root, as to_dot says. Shortcuts are
/// marked in both pictures.
Picture folded(const Picture& picture, int depth);

}  // namespace weft::detail

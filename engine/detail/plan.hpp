#pragma once
// Which part of the tape a call of grad() needs.
#include <weft/engine/detail/node.hpp>

#include <memory>
#include <unordered_map>
#include <vector>

namespace weft::detail {

/// What a gradient belongs to, named as edges name it: an output of a node, or a leaf.
struct Place {
  std::uintptr_t target;
  std::uint32_t output;

  Place(const Node* node, std::uint32_t number) : target(reinterpret_cast<std::uintptr_t>(node)), output(number) {}
  explicit Place(const TensorImpl* leaf) : target(reinterpret_cast<std::uintptr_t>(leaf) + 1), output(0) {}
  explicit Place(const Edge& edge) : target(edge.target), output(edge.output) {}
  static Place of(const Tensor& t) {
    const TensorImpl* impl = t.impl();
    return impl->node != nullptr ? Place(impl->node, impl->output_index) : Place(impl);
  }
  bool operator==(const Place&) const = default;
};

/// The places whose gradients are asked for, numbered; each once.
class Targets {
 public:
  static constexpr auto none = static_cast<std::size_t>(-1);

  std::size_t add(const Place& place) { return numbers_.try_emplace(place, numbers_.size()).first->second; }
  std::size_t find(const Place& place) const {
    const auto found = numbers_.find(place);
    return found != numbers_.end() ? found->second : none;
  }
  std::size_t size() const { return numbers_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const Place& place) const {
      return static_cast<std::size_t>(place.target + place.output * 0x9E3779B97F4A7C15U);
    }
  };
  std::unordered_map<Place, std::size_t, Hash> numbers_;
};

/// Which edges of the nodes, in the order the sweep meets them, lead to a wanted input.
struct Plan {
  Targets targets;
  std::vector<bool> reached;  // of the targets
  std::vector<const Node*> nodes;
  std::vector<std::size_t> first;  // of each node's edges in `wanted`
  std::unique_ptr<bool[]> wanted;
};

Plan make_plan(const Tensors& outputs, Targets targets, std::uint64_t floor);

}  // namespace weft::detail

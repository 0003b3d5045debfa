#include <weft/engine/detail/plan.hpp>

#include <algorithm>

#include <weft/engine/detail/frontier.hpp>

namespace weft::detail {

Plan make_plan(const Tensors& outputs, Targets targets, std::uint64_t floor) {
  Plan plan{.targets = std::move(targets), .reached = {}, .nodes = {}, .first = {}, .wanted = nullptr};
  plan.reached.resize(plan.targets.size());
  Frontier<std::size_t> frontier;  // the value: a number in the order of discovery
  std::size_t discovered = 0;
  const auto discover = [&](Node* node) {
    auto [number, fresh] = frontier.find_or_add(node);
    if (fresh) *number = discovered++;
    return *number;
  };
  for (const Tensor& output : outputs) {
    if (const std::size_t target = plan.targets.find(Place::of(output)); target != Targets::none)
      plan.reached[target] = true;
    if (Node* node = output.impl()->node; node != nullptr && node->stamp() >= floor) discover(node);
  }

  constexpr auto no_node = static_cast<std::size_t>(-1);
  std::vector<std::size_t> numbers, reached;  // of each node; of each edge's node
  std::size_t edges = 0;
  while (!frontier.empty()) {
    auto [node, number] = frontier.pop();
    plan.nodes.push_back(node);
    plan.first.push_back(edges);
    numbers.push_back(number);
    for (int i = 0; i < node->input_count(); ++i, ++edges) {
      const Edge& edge = node->edge(i);
      const bool ends = edge.target == 0 || edge.is_leaf() || edge.node()->stamp() < floor;
      reached.push_back(ends ? no_node : discover(edge.node()));
    }
  }
  // From the inputs up: an edge is wanted if it is a target or its node has a wanted edge.
  plan.wanted = std::make_unique<bool[]>(std::max<std::size_t>(edges, 1));
  const auto leads_on = std::make_unique<bool[]>(std::max<std::size_t>(discovered, 1));
  for (std::size_t k = plan.nodes.size(); k-- > 0;) {
    for (int i = 0; i < plan.nodes[k]->input_count(); ++i) {
      const std::size_t e = plan.first[k] + static_cast<std::size_t>(i);
      const std::size_t target = plan.targets.find(Place(plan.nodes[k]->edge(i)));
      if (target != Targets::none) plan.reached[target] = true;
      plan.wanted[e] = target != Targets::none || (reached[e] != no_node && leads_on[reached[e]]);
      if (plan.wanted[e]) leads_on[numbers[k]] = true;
    }
  }
  return plan;
}

}  // namespace weft::detail

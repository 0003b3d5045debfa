#include <weft/engine/graph.hpp>

#include <unordered_map>
#include <unordered_set>

#include <weft/engine/detail/names.hpp>
#include <weft/engine/scope.hpp>

namespace weft {
namespace detail {

namespace {

std::int64_t saved_bytes(const Node* node, std::unordered_set<const Storage*>& counted) {
  std::int64_t bytes = 0;
  for (const Saved& saved : node->saved()) {
    if (!saved.tensor.defined()) continue;
    const Storage* storage = saved.tensor.impl()->storage.get();
    if (!counted.insert(storage).second) continue;
    // What was asked for, in whole cache lines; the block may have been a larger one that was free.
    const std::int64_t asked = saved.tensor.size() * static_cast<std::int64_t>(size_of(saved.tensor.dtype()));
    bytes += (asked + 63) / 64 * 64;
  }
  return bytes;
}

std::string numbered(std::string text, std::size_t number) { return text.append(std::to_string(number)); }

void pad_to(std::string& line, std::size_t column) {
  line.append(line.size() < column ? column - line.size() : 1, ' ');
}

}  // namespace
}  // namespace detail

std::string print_tape(const Tensor& result, const std::vector<std::pair<std::string, Tensor>>& names) {
  using namespace detail;
  const std::vector<const Node*> nodes = nodes_behind({result});
  if (nodes.empty()) return "nothing recorded\n";
  const Names labels(names);
  std::unordered_map<const Node*, std::size_t> numbers;
  std::unordered_map<const TensorImpl*, std::size_t> leaves;
  std::unordered_set<const Storage*> counted;
  std::string text;
  for (const Node* node : nodes) {
    const std::size_t number = numbers.emplace(node, numbers.size()).first->second;
    std::string line = numbered("#", number);
    pad_to(line, 8);
    line += node->op_name();
    pad_to(line, 28);
    line += '(';
    for (int i = 0; i < node->input_count(); ++i) {
      const Edge& edge = node->edge(i);
      if (i > 0) line += ", ";
      if (const std::string name = labels.of_input(edge); !name.empty()) {
        line += name;
      } else if (edge.target == 0) {
        line += "constant";
      } else if (edge.is_leaf()) {
        line += numbered("leaf ", leaves.emplace(edge.leaf(), leaves.size()).first->second);
      } else {
        line += numbered("#", numbers.at(edge.node()));
        if (edge.node()->output_count() > 1) line.append("[").append(std::to_string(edge.output)).append("]");
      }
      line.append(" ").append(to_text(edge.shape()));
    }
    line.append(") -> ");
    if (const std::string name = labels.of_node(node); !name.empty()) line.append(name).append(" ");
    line.append(outputs_text(node));
    if (const std::string fields = to_text(node->fields()); !fields.empty())
      line.append(" [").append(fields).append("]");
    if (const std::int64_t bytes = saved_bytes(node, counted); bytes > 0)
      line += ", saved " + std::to_string(bytes) + " bytes";
    if (node->released()) line += ", freed";
    if (const std::string module = path_of_scope(node->scope()); !module.empty()) line += ", in " + module;
    text += line + "\n";
  }
  return text;
}

TapeStats tape_stats(const Tensor& result) {
  TapeStats stats;
  std::unordered_set<const detail::Storage*> counted;
  for (const Node* node : detail::nodes_behind({result})) {
    ++stats.nodes;
    stats.bytes += detail::saved_bytes(node, counted);
  }
  return stats;
}

}  // namespace weft

#include <weft/engine/graph.hpp>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <weft/engine/detail/node.hpp>
#include <weft/engine/scope.hpp>

namespace weft {
namespace detail {

namespace {

// What was named, by the leaf or by the node and output that made it.
class Names {
 public:
  explicit Names(const std::vector<std::pair<std::string, Tensor>>& names) {
    for (const auto& [name, t] : names) {
      if (!t.defined()) continue;
      if (const Node* node = t.impl()->node)
        computed_[node].emplace_back(t.impl()->output_index, name);
      else
        leaves_[t.impl()] = name;
    }
  }

  std::string of_leaf(TensorImpl* leaf) const {
    if (const auto found = leaves_.find(leaf); found != leaves_.end()) return found->second;
    return Tensor(Ref<TensorImpl>::share(leaf)).name();
  }
  std::string of_node(const Node* node) const {
    std::string text;
    if (const auto found = computed_.find(node); found != computed_.end())
      for (const auto& [output, name] : found->second) text += (text.empty() ? "" : ", ") + name;
    return text;
  }

 private:
  std::unordered_map<const TensorImpl*, std::string> leaves_;
  std::unordered_map<const Node*, std::vector<std::pair<std::uint32_t, std::string>>> computed_;
};

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string outputs_text(const Node* node) {
  std::string text;
  for (int k = 0; k < node->output_count(); ++k)
    text += (k > 0 ? ", " : "") + std::string(name_of(node->output(k).dtype)) + " " + to_text(node->output(k).shape());
  return text;
}

std::int64_t saved_bytes(const Node* node, std::unordered_set<const Storage*>& counted) {
  std::int64_t bytes = 0;
  for (const Saved& saved : node->saved()) {
    if (!saved.tensor.defined()) continue;
    const Storage* storage = saved.tensor.impl()->storage.get();
    if (counted.insert(storage).second) bytes += static_cast<std::int64_t>(storage->capacity);
  }
  return bytes;
}

std::string numbered(std::string text, std::size_t number) { return text.append(std::to_string(number)); }

void pad_to(std::string& line, std::size_t column) {
  line.append(line.size() < column ? column - line.size() : 1, ' ');
}

}  // namespace
}  // namespace detail

std::string to_dot(const Tensor& result, const std::vector<std::pair<std::string, Tensor>>& names) {
  using namespace detail;
  const Names labels(names);
  const std::vector<const Node*> nodes = nodes_behind({result});
  std::unordered_map<const void*, std::string> ids;
  std::string text = "digraph tape {\n  rankdir=TB;\n  node [fontname=\"sans-serif\"];\n";
  const auto leaf_id = [&](TensorImpl* leaf) {
    const auto [at, fresh] = ids.try_emplace(leaf, numbered("leaf", ids.size()));
    if (fresh) {
      const std::string name = labels.of_leaf(leaf);
      text += "  " + at->second + " [shape=box, style=filled, fillcolor=lightblue, label=" +
              quoted((name.empty() ? "leaf" : name) + "\n" + to_text(leaf->shape)) + "];\n";
    }
    return at->second;
  };
  for (const Node* node : nodes) {
    const std::string id = ids.try_emplace(node, numbered("op", ids.size())).first->second;
    const std::string name = labels.of_node(node), fields = to_text(node->fields());
    text += "  " + id + " [label=" +
            quoted((name.empty() ? "" : name + "\n") + node->op_name() + "\n" + (fields.empty() ? "" : fields + "\n") +
                   outputs_text(node)) +
            "];\n";
    for (int i = 0; i < node->input_count(); ++i) {
      const Edge& edge = node->edge(i);
      if (edge.target == 0) continue;  // a constant
      const std::string from = edge.is_leaf() ? leaf_id(edge.leaf()) : ids.at(edge.node());
      text += "  " + from + " -> " + id + " [label=" + quoted(to_text(edge.shape())) + "];\n";
    }
  }
  if (nodes.empty() && result.requires_grad()) leaf_id(result.impl());
  return text + "}\n";
}

std::string print_tape(const Tensor& result) {
  using namespace detail;
  const std::vector<const Node*> nodes = nodes_behind({result});
  if (nodes.empty()) return "nothing recorded\n";
  const Names labels({});
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
      if (edge.target == 0) {
        line += "constant";
      } else if (edge.is_leaf()) {
        const std::string name = labels.of_leaf(edge.leaf());
        line += name.empty() ? numbered("leaf ", leaves.emplace(edge.leaf(), leaves.size()).first->second) : name;
      } else {
        line += numbered("#", numbers.at(edge.node()));
        if (edge.node()->output_count() > 1) line.append("[").append(std::to_string(edge.output)).append("]");
      }
      line.append(" ").append(to_text(edge.shape()));
    }
    line.append(") -> ").append(outputs_text(node));
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

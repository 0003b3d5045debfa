#include <weft/nn/train/detail/graph_def.hpp>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <weft/engine/detail/names.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/scope.hpp>

namespace weft::detail {
namespace {

// Numbers of fields: graph.proto, node_def.proto, attr_value.proto, tensor_shape.proto and types.proto of TensorFlow.

ProtoMessage shape_message(const Shape& shape) {
  ProtoMessage message;
  for (const std::int64_t size : shape) message.message(2, ProtoMessage().whole(1, size));
  return message;
}

ProtoMessage dtype_value(DType dtype) {
  const std::int64_t types[] = {1, 2, 9, 4};  // f32, f64, i64, u8
  return ProtoMessage().whole(6, types[static_cast<std::size_t>(dtype)]);
}

ProtoMessage field_value(const Field& field) {
  switch (field.kind) {
    case Field::Kind::flag: return ProtoMessage().whole(5, field.whole);
    case Field::Kind::whole: return ProtoMessage().whole(3, field.whole);
    case Field::Kind::real: return ProtoMessage().real32(4, field.real);
    case Field::Kind::list: return ProtoMessage().message(1, ProtoMessage().packed(3, field.list));
    default: return ProtoMessage().text(2, field.text);
  }
}

class GraphWriter {
 public:
  GraphWriter(const Tensor& result, const nn::NamedTensors& names) : names_(names) {
    for (const Node* node : nodes_behind({result})) add(node);
    graph.message(4, ProtoMessage().whole(1, 22));  // what PyTorch's writer says, too
  }
  ProtoMessage graph;

 private:
  void add(const Node* node) {
    ProtoMessage message;
    std::vector<std::string> inputs;
    for (int i = 0; i < node->input_count(); ++i) {
      const Edge& edge = node->edge(i);
      if (edge.target == 0 && edge.output == 0) continue;  // an absent input
      if (edge.is_leaf() || edge.target == 0)
        inputs.push_back(source(edge));
      else
        inputs.push_back(nodes_.at(edge.node()) + (edge.output > 0 ? ":" + std::to_string(edge.output) : ""));
    }
    const std::string module = path_of_scope(node->scope());
    const std::string& name = nodes_[node] =
        unique((module.empty() ? "" : module + ".") + node->op_name(), node->op_name());
    message.text(1, name).text(2, node->op_name());
    for (const std::string& input : inputs) message.text(3, input);
    ProtoMessage shapes;
    for (int k = 0; k < node->output_count(); ++k) shapes.message(7, shape_message(node->output(k).shape()));
    attribute(message, "_output_shapes", ProtoMessage().message(1, shapes));
    if (node->output_count() > 0) attribute(message, "T", dtype_value(node->output(0).dtype));
    for (const Field& field : node->fields()) attribute(message, field.name, field_value(field));
    graph.message(1, message);
  }

  // The node of a leaf or constant, which is one however often it is used.
  const std::string& source(const Edge& edge) {
    const auto key = edge.is_leaf() ? edge.target : std::uintptr_t{edge.output} << 1U;  // leaves have odd ones
    std::string& name = sources_[key];
    if (!name.empty()) return name;
    const std::string given = names_.of_input(edge);
    name = unique(given, edge.is_leaf() ? "leaf" : "input");
    ProtoMessage message;
    message.text(1, name).text(2, edge.is_leaf() ? "Parameter" : "Const");
    attribute(message, "_output_shapes",
              ProtoMessage().message(1, ProtoMessage().message(7, shape_message(edge.shape()))));
    attribute(message, "dtype", dtype_value(edge.dtype));
    graph.message(1, message);
    return name;
  }

  static void attribute(ProtoMessage& node, const std::string& name, const ProtoMessage& value) {
    node.message(5, ProtoMessage().text(1, name).message(2, value));
  }

  // Dots separate modules here and slashes there. What a colon or a caret would mean to a reader, no name says.
  std::string unique(std::string name, const char* fallback) {
    if (name.empty()) name = fallback;
    for (char& c : name) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
      if (c == '.') c = '/';
      if (!plain && c != '/') c = '_';
    }
    std::string result = name;
    for (std::int64_t& number = used_[name]; !taken_.insert(result).second;)
      result = name + "_" + std::to_string(++number);
    return result;
  }

  const Names names_;
  std::unordered_map<const Node*, std::string> nodes_;
  std::unordered_map<std::uintptr_t, std::string> sources_;
  std::unordered_map<std::string, std::int64_t> used_;
  std::unordered_set<std::string> taken_;
};

}  // namespace

ProtoMessage graph_def_of(const Tensor& result, const nn::NamedTensors& names) {
  if (!result.defined() || nodes_behind({result}).empty())
    fail("EventFile: graph got a tensor behind which nothing was recorded, needs a recorded result");
  return GraphWriter(result, names).graph;
}

}  // namespace weft::detail

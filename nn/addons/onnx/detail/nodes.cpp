#include <weft/nn/addons/onnx/detail/nodes.hpp>

namespace weft::onnx::detail {
namespace {

class FunctionNodes : public Nodes {
 public:
  explicit FunctionNodes(pb::FunctionProto& function) : function_(function) {}

  std::string inner_name() override { return name_of_node("inner"); }
  std::string constant(const Tensor& t, bool mask) override { return write_constant(t, mask); }

 protected:
  pb::NodeProto* next_node() override { return function_.add_node(); }
  std::string name_of_node(const char* type) override { return type + ("_" + std::to_string(++count_)); }

 private:
  pb::FunctionProto& function_;
  int count_ = 0;
};

}  // namespace

InnerGraph::InnerGraph(Nodes& around) : prefix_(around.inner_name()) { graph_->set_name(prefix_); }

std::string InnerGraph::input(const std::string& name) {
  graph_->add_input()->set_name(prefix_ + "/" + name);
  return prefix_ + "/" + name;
}

void InnerGraph::output(const std::string& value) {
  // A value may be given twice, but not under one name.
  graph_->add_output()->set_name((*this)("Identity", {value}));
}

std::string InnerGraph::constant(const Tensor& t, bool mask) { return write_constant(t, mask); }

std::string Nodes::write_constant(const Tensor& t, bool mask) {
  pb::NodeProto& node = *next_node();
  std::string name = name_of_node("Constant");
  write(node, name, "Constant", {}, {{"value", t}}, 1);
  if (mask) *node.mutable_attribute(0)->mutable_t() = to_message(t, name, true);
  return name;
}

Names Nodes::write(pb::NodeProto& node, const std::string& name, const std::string& type, const Names& inputs,
                   const Attributes& attributes, int outputs, const char* domain) {
  node.set_name(name);
  node.set_op_type(type);
  node.set_domain(domain);
  for (const std::string& input : inputs) node.add_input(input);
  for (const Attribute& attribute : attributes) set_attribute(node, attribute);
  Names names;
  for (int i = 0; i < outputs; ++i) {
    names.push_back(i == 0 ? name : name + ":" + std::to_string(i));
    node.add_output(names.back());
  }
  return names;
}

pb::FunctionProto define(const Body& body, std::size_t inputs, const Attributes& attributes) {
  pb::FunctionProto function;
  function.set_domain(weft_domain);
  pb::OperatorSetIdProto& standard = *function.add_opset_import();
  standard.set_domain("");
  standard.set_version(opset);
  for (const Attribute& attribute : attributes) function.add_attribute(attribute.name);
  FunctionNodes nodes(function);
  Names names;
  for (std::size_t i = 0; i < inputs; ++i) names.push_back("x" + std::to_string(i));
  for (const std::string& name : names) function.add_input(name);
  for (const std::string& name : body(nodes, names)) function.add_output(name);
  return function;
}

}  // namespace weft::onnx::detail

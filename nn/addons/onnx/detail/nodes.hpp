#pragma once
// Where nodes are written: a graph, or the body of a function.
#include <weft/engine/create.hpp>
#include <weft/nn/addons/onnx/detail/messages.hpp>

#include <functional>

namespace weft::onnx::detail {

using Names = std::vector<std::string>;

class Nodes {
 public:
  Nodes() = default;
  virtual ~Nodes() = default;
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  /// A node; the names of its outputs.
  Names add(const char* type, const Names& inputs, const Attributes& attributes = {}, int outputs = 1) {
    return write(*next_node(), name_of_node(type), type, inputs, attributes, outputs);
  }
  /// A node of one output.
  std::string operator()(const char* type, const Names& inputs, const Attributes& attributes = {}) {
    return add(type, inputs, attributes)[0];
  }

  /// A name for what stands in a graph inside of a node.
  virtual std::string inner_name() = 0;

  virtual std::string constant(const Tensor& t, bool mask = false) = 0;
  std::string number(double value, DType dtype) { return constant(scalar(value, dtype)); }
  /// i64, one axis.
  std::string wholes(const std::vector<std::int64_t>& values) { return constant(tensor(values, i64)); }
  /// Of a mask, or of numbers: as this dtype, u8 as a mask if it is one.
  std::string cast(const std::string& value, DType dtype, bool mask = false) {
    return (*this)("Cast", {value}, {{"to", element_type(dtype, mask)}});
  }

 protected:
  virtual pb::NodeProto* next_node() = 0;
  virtual std::string name_of_node(const char* type) = 0;
  /// A node of a constant.
  std::string write_constant(const Tensor& t, bool mask);
  static Names write(pb::NodeProto& node, const std::string& name, const std::string& type, const Names& inputs,
                     const Attributes& attributes, int outputs, const char* domain = "");
};

/// A graph that is a node's attribute. It may use all values of the nodes around it.
class InnerGraph : public Nodes {
 public:
  explicit InnerGraph(Nodes& around);
  std::string input(const std::string& name);
  void output(const std::string& value);
  std::shared_ptr<const pb::GraphProto> graph() const { return graph_; }

  std::string inner_name() override { return name_of_node("inner"); }
  std::string constant(const Tensor& t, bool mask = false) override;

 protected:
  pb::NodeProto* next_node() override { return graph_->add_node(); }
  std::string name_of_node(const char* type) override { return prefix_ + "/" + type + "_" + std::to_string(++count_); }

 private:
  std::shared_ptr<pb::GraphProto> graph_ = std::make_shared<pb::GraphProto>();
  std::string prefix_;
  int count_ = 0;
};

/// What stands for an op of weft's: writes its parts and gives the results' names.
using Body = std::function<Names(Nodes& nodes, const Names& inputs)>;

/// A function's definition without its name.
pb::FunctionProto define(const Body& body, std::size_t inputs, const Attributes& attributes);

}  // namespace weft::onnx::detail

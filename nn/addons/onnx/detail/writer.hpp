#pragma once
// A trace as an ONNX graph: values in the layouts that are asked for, initialisers, functions.
#include <weft/nn/addons/onnx/detail/layout.hpp>
#include <weft/nn/addons/onnx/detail/nodes.hpp>
#include <weft/nn/addons/onnx/detail/trace.hpp>

#include <array>
#include <map>
#include <set>
#include <span>
#include <unordered_map>

namespace weft::onnx::detail {

/// The graph being written. A value is known by its number in the trace; each may exist in both layouts, and a mask as
/// u8 and as ONNX's bool: what is asked for and not there is made, once.
class Writer : public Nodes {
 public:
  Writer(const Trace& trace, const SaveOptions& options);
  /// Everything. Throws Error for an op without a counterpart.
  pb::ModelProto model() &&;

  const Shape& shape(int v) const { return value(v).shape; }
  int rank(int v) const { return value(v).shape.rank(); }
  DType dtype(int v) const { return value(v).dtype; }
  const Dims& dims(int v) const { return value(v).dims; }
  /// Known when the file is written: a parameter, a buffer or a constant.
  bool is_constant(int v) const { return value(v).kind > TracedValue::input && value(v).kind < TracedValue::computed; }
  const Tensor& tensor(int v) const { return value(v).tensor; }

  bool has(int v, Layout layout) const;
  /// Whether it has been made as bool only.
  bool is_mask(int v) const;
  /// The value's name in a layout.
  std::string get(int v, Layout layout = Layout::last) { return get(v, layout, false); }
  /// As bool.
  std::string get_mask(int v, Layout layout = Layout::last) { return get(v, layout, true); }
  /// With the axes in another order: weights are written so.
  std::string permuted(int v, const Axes& order);
  /// To be broadcast to `rank` axes in a layout.
  std::string aligned(int v, int rank, Layout layout, bool mask = false);
  /// The layout in which operands of a result of `rank` axes are to be had with the fewest transpositions.
  Layout layout_for(std::span<const int> operands, int rank) const;
  /// As many ones or zeros as a value has channels: an absent weight or bias.
  std::string filled(int v, double number);

  /// The value's name in a layout, or of it as bool, is this.
  void give(int v, std::string name, Layout layout = Layout::last, bool mask = false);
  /// The value is another one.
  void alias(int v, int other) { held_[static_cast<std::size_t>(v)] = held_[static_cast<std::size_t>(other)]; }

  /// Sizes as an i64 list; what hangs on the batch is computed.
  std::string list(const Dims& sizes);
  /// The same for Reshape, which finds one size by itself.
  std::string list_for_reshape(const Dims& sizes);

  /// The node that an op of weft's becomes: called as its module and op.
  std::string node(const char* type, const Names& inputs, const Attributes& attributes = {}) {
    main_ = true;
    return (*this)(type, inputs, attributes);
  }
  /// An op of weft's that is several nodes: a call of the function of this name, or the body in its place. The
  /// attributes are the op's fields, for load().
  Names function(const std::string& name, const Names& inputs, const Attributes& attributes, int outputs,
                 const Body& body);

  /// The only op that takes the value, if it is one; null if it also is a result.
  const TracedOp* only_user(int v) const;
  /// The op is written already.
  void skip(const TracedOp& op) { skipped_.insert(&op); }

  std::string inner_name() override { return name_of_node("inner"); }
  std::string constant(const Tensor& t, bool mask = false) override;
  /// Throws Error, naming the op that is written and its module.
  [[noreturn]] void refuse(const std::string& why) const;

 protected:
  pb::NodeProto* next_node() override { return graph_->add_node(); }
  std::string name_of_node(const char* type) override;

 private:
  struct Held {
    std::array<std::array<std::string, 2>, 2> name;  // by layout, and as a mask
    std::string& at(Layout layout, bool mask) { return name[static_cast<std::size_t>(layout)][mask ? 1 : 0]; }
  };

  const TracedValue& value(int v) const { return trace_.values[static_cast<std::size_t>(v)]; }
  Layout normal(int v, Layout layout) const { return rank(v) < 3 ? Layout::last : layout; }
  std::string get(int v, Layout layout, bool mask);
  std::string transposed(const std::string& name, int v, Layout to);
  std::string initializer(int v, const Axes& order, const Shape& shape, bool mask);
  std::string new_list(const Dims& sizes);
  std::string unique(const std::string& name);
  void find_images();
  void write_inputs();
  void write_op(const TracedOp& op);
  void write_outputs();
  void rename_or_copy(const std::string& from, const std::string& name);
  void set_type(pb::ValueInfoProto& info, int v, Layout layout) const;

  const Trace& trace_;
  const SaveOptions& options_;
  pb::ModelProto model_;
  pb::GraphProto* graph_ = nullptr;
  std::vector<Held> held_;
  std::vector<bool> is_image_;    // goes channels first into an op, as it is or by way of elementwise ones
  std::vector<bool> from_image_;  // is an image, or made of one
  std::map<std::string, std::string> lists_, expanded_;
  std::map<std::string, std::string> initializers_;            // by value and form, or by content
  std::map<std::string, std::vector<std::string>> functions_;  // the definitions, by the name of weft's op
  std::set<std::string> names_;
  std::set<const TracedOp*> skipped_;
  std::unordered_multimap<int, const TracedOp*> users_;
  const TracedOp* op_ = nullptr;  // that is written
  std::string batch_;
  bool main_ = false;
};

/// How an op is written, and whether it asks for weft's order, takes either and asks for none, goes on in the layout of
/// its operands, or asks for channels first.
struct WriteOp {
  enum Asks : std::uint8_t { last, either, any, images };
  std::function<void(Writer&, const TracedOp&)> write;
  Asks asks = last;
  bool keeps() const { return asks == either || asks == any; }
  std::vector<std::string> by_batch = {};  // fields that may hang on the batch
};

}  // namespace weft::onnx::detail

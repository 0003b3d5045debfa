#pragma once
// A node of an ONNX graph: what it says, checked when the file is read, and what it is given when it runs.
#include <weft/nn/addons/onnx/detail/layout.hpp>
#include <weft/nn/addons/onnx/detail/messages.hpp>

#include <functional>
#include <optional>
#include <set>
#include <span>

namespace weft::onnx::detail {

/// A value while the net runs, in the forms that it has been made in.
struct Slot {
  Tensor plain;   // axes as the file has them
  Tensor image;   // channels last, where the file has channels first
  Tensor weight;  // axes in `order`
  Axes order;

  bool empty() const { return !plain.defined() && !image.defined() && !weight.defined(); }
};

/// One run of a node.
class Call {
 public:
  Call(std::vector<Slot>& slots, std::span<const int> inputs, std::span<const int> outputs)
      : slots_(slots), inputs_(inputs), outputs_(outputs) {}

  std::size_t inputs() const { return inputs_.size(); }
  bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i] >= 0; }
  int rank(std::size_t i) const;
  /// Axes as the file has them.
  const Tensor& in(std::size_t i);
  /// An absent input is an undefined tensor.
  Tensor in_or_none(std::size_t i) { return has(i) ? in(i) : Tensor(); }
  /// Channels last.
  const Tensor& image(std::size_t i);
  /// Axis k is the file's axis order[k].
  Tensor weight(std::size_t i, const Axes& order);
  /// Whether there is nothing but channels last.
  bool is_image(std::size_t i) const { return layout_of(i) == Layout::first; }
  /// Whole numbers of an input, one axis.
  std::vector<std::int64_t> list(std::size_t i);

  void give(Tensor t, std::size_t output = 0) {
    if (output < outputs_.size() && outputs_[output] >= 0) slot(outputs_[output]).plain = std::move(t);
  }
  void give_image(Tensor t, std::size_t output = 0) {
    if (output < outputs_.size() && outputs_[output] >= 0) slot(outputs_[output]).image = std::move(t);
  }
  void give(const Tensor& t, std::size_t output, Layout file) {
    file == Layout::first ? give_image(t, output) : give(t, output);
  }

  /// The inputs as they are to be broadcast, in one layout: channels last where one of the most axes is an image.
  Tensors operands(Layout& file);
  /// f of them, element by element.
  template <class F>
  void elementwise(F f) {
    Layout file{};
    const Tensors all = operands(file);
    give(f(all), 0, file);
  }
  /// The input in the layout that it has.
  const Tensor& any(std::size_t i) { return is_image(i) ? image(i) : in(i); }
  Layout layout_of(std::size_t i) const;

 private:
  Slot& slot(int number) const { return slots_[static_cast<std::size_t>(number)]; }
  Slot& input(std::size_t i) const { return slot(inputs_[i]); }

  std::vector<Slot>& slots_;
  std::span<const int> inputs_, outputs_;
};

using Run = std::function<void(Call& call)>;

/// A node as the file has it. Every question says what is missing or of another type, naming the node.
class NodeReader {
 public:
  /// `known`: of each input its value, where it is in the file and no parameter, else null.
  NodeReader(const pb::NodeProto& node, std::vector<const Tensor*> known, std::int64_t opset_of)
      : version(opset_of), node_(node), known_(std::move(known)) {}

  std::size_t inputs() const { return known_.size(); }
  std::size_t outputs() const { return static_cast<std::size_t>(node_.output_size()); }
  bool has(std::size_t i) const { return i < known_.size() && !node_.input(static_cast<int>(i)).empty(); }
  /// Throws Error unless there are so many inputs, those that may be left out too.
  void needs(std::size_t least, std::size_t most, std::size_t outputs = 1) const;
  const Tensor* known(std::size_t i) const { return i < known_.size() ? known_[i] : nullptr; }
  /// The number, where the input is one of floating type that the file has and does not train.
  std::optional<double> number(std::size_t i) const;
  /// The whole numbers of an input that the file must have, or those of the attribute, which older opsets have.
  std::optional<std::vector<std::int64_t>> list_at(std::size_t i, const char* attribute);

  bool has_attribute(const char* name) const;
  std::int64_t whole(const char* name, std::optional<std::int64_t> usual = {});
  double real(const char* name, std::optional<double> usual = {});
  std::optional<std::vector<std::int64_t>> list(const char* name);
  std::string text(const char* name, std::optional<std::string> usual = {});
  Tensor tensor(const char* name);
  /// An attribute that changes nothing here.
  void ignore(const char* name) { asked_.insert(name); }
  /// Throws Error if there is an attribute that nobody asked for.
  void expect_no_more() const;

  std::string where() const;
  [[noreturn]] void refuse(const std::string& why) const;

  const std::int64_t version;  // of the opset

 private:
  const pb::AttributeProto* find(const char* name, int type, bool required);

  const pb::NodeProto& node_;
  std::vector<const Tensor*> known_;
  std::set<std::string> asked_;
};

/// How an operator is read.
struct ReadOp {
  enum Asks : std::uint8_t { plain, either, any, images };  // as WriteOp's
  std::function<Run(NodeReader& node)> read;
  Asks asks = plain;
  /// The order of axes in which input 1 is wanted, if it is a weight of another order than the file's.
  std::function<Axes(const pb::NodeProto& node, int rank)> weight = {};
};

/// How many elements numbers in a file may make of nothing.
inline constexpr std::int64_t most_elements = std::int64_t{1} << 28U;
/// Throws Error unless a tensor of these sizes, none negative, has no more elements than that.
Shape checked_shape(const char* op, const std::vector<std::int64_t>& sizes);

}  // namespace weft::onnx::detail

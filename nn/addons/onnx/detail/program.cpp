#include <weft/nn/addons/onnx/detail/program.hpp>

#include <algorithm>
#include <map>

#include <weft/nn/addons/onnx/detail/operators.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {
namespace {

constexpr int most_nodes = 1'000'000, deepest = 16;

using Functions = std::map<std::pair<std::string, std::string>, const pb::FunctionProto*>;

// "gelu" for "gelu_2", a second form of the same op's function.
const ReadOp* known_function(const std::string& name) {
  const auto& all = operators().functions;
  if (const auto found = all.find(name); found != all.end()) return &found->second;
  const std::size_t at = name.find_last_of('_');
  if (at == std::string::npos || name.find_first_not_of("0123456789", at + 1) != std::string::npos) return nullptr;
  const auto found = all.find(name.substr(0, at));
  return found != all.end() ? &found->second : nullptr;
}

const ReadOp* operator_of(const pb::NodeProto& node) {
  if (node.domain() == weft_domain) return known_function(node.op_type());
  if (!node.domain().empty() && node.domain() != "ai.onnx") return nullptr;
  const auto found = operators().read.find(node.op_type());
  return found != operators().read.end() ? &found->second : nullptr;
}

class Builder {
 public:
  Builder(const pb::ModelProto& model, const LoadOptions& options) : model_(model), graph_(model.graph()) {
    program_->channels_first = options.channels_first;
  }

  std::unique_ptr<Program> build() {
    check_opset();
    for (const pb::FunctionProto& f : model_.functions()) functions_[{f.domain(), f.name()}] = &f;
    for (const pb::NodeProto& node : graph_.node()) expand(node, 0);
    find_images();
    add_initializers();
    add_inputs();
    for (const pb::NodeProto& node : nodes_) add_step(node);
    add_outputs();
    find_last_uses();
    return std::move(program_);
  }

 private:
  void check_opset() {
    for (const pb::OperatorSetIdProto& set : model_.opset_import())
      if (set.domain().empty() || set.domain() == "ai.onnx") version_ = set.version();
    if (version_ < 11 || version_ > opset) fail("onnx::load: got opset ", version_, ", needs 11 to ", opset);
    if (graph_.sparse_initializer_size() > 0) fail("onnx::load: got a sparse initialiser, needs dense ones");
  }

  // A function that is not one of ours becomes its nodes, their values called after the call.
  void expand(const pb::NodeProto& node, int depth) {
    const auto found =
        operator_of(node) != nullptr ? functions_.end() : functions_.find({node.domain(), node.op_type()});
    if (found == functions_.end()) {
      nodes_.push_back(node);
      if (nodes_.size() > most_nodes) fail("onnx::load: got more than ", most_nodes, " nodes");
      return;
    }
    const pb::FunctionProto& f = *found->second;
    if (depth > deepest) fail("onnx::load: functions call one another deeper than ", deepest, ": ", node.op_type());
    const std::string prefix = "call " + std::to_string(++calls_) + "/";
    std::map<std::string, std::string> names{{"", ""}};
    for (int i = 0; i < f.input_size(); ++i) names[f.input(i)] = i < node.input_size() ? node.input(i) : "";
    for (int i = 0; i < f.output_size() && i < node.output_size(); ++i) names[f.output(i)] = node.output(i);
    const auto renamed = [&](const std::string& name) { return names.try_emplace(name, prefix + name).first->second; };
    for (const pb::NodeProto& inner : f.node()) {
      pb::NodeProto copy = inner;
      for (std::string& name : *copy.mutable_input()) name = renamed(name);
      for (std::string& name : *copy.mutable_output()) name = renamed(name);
      copy.set_name(node.name() + "/" + inner.name());
      copy.clear_attribute();
      for (const pb::AttributeProto& attribute : inner.attribute()) {
        if (attribute.ref_attr_name().empty()) {
          *copy.add_attribute() = attribute;
          continue;
        }
        for (const pb::AttributeProto& given : node.attribute())
          if (given.name() == attribute.ref_attr_name()) {
            pb::AttributeProto& to = *copy.add_attribute();
            to = given;
            to.set_name(attribute.name());
          }
      }
      expand(copy, depth + 1);
    }
  }

  void find_images() {
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
      const ReadOp* op = operator_of(*node);
      if (op == nullptr || node->input_size() == 0) continue;
      if (op->asks == ReadOp::images) images_.insert(node->input(0));
      if (op->asks == ReadOp::any && node->output_size() > 0 && images_.contains(node->output(0)))
        images_.insert(node->input().begin(), node->input().end());
    }
    // And forwards: what such an operator gives.
    made_of_images_ = images_;
    for (const pb::NodeProto& node : nodes_) {
      const ReadOp* op = operator_of(node);
      bool from = op != nullptr && op->asks == ReadOp::images;
      if (op != nullptr && op->asks != ReadOp::plain)
        for (const std::string& name : node.input()) from = from || made_of_images_.contains(name);
      for (const std::string& name : node.output())
        if (from)
          made_of_images_.insert(name);
        else
          made_of_images_.erase(name);
    }
  }

  int slot_of(const std::string& name) {
    const int number = static_cast<int>(program_->constants.size());
    if (!slots_.emplace(name, number).second) fail("onnx::load: two values are called \"", name, "\"");
    program_->constants.emplace_back();
    return number;
  }
  Slot& constant(int slot) { return program_->constants[static_cast<std::size_t>(slot)]; }

  // The order in which all who take a weight want it; none if they do not agree.
  Axes order_of_weight(const std::string& name, int rank) const {
    Axes order;
    bool first = true;
    for (const pb::NodeProto& node : nodes_)
      for (int i = 0; i < node.input_size(); ++i) {
        if (node.input(i) != name) continue;
        const ReadOp* op = operator_of(node);
        const Axes wanted = op != nullptr && op->weight && i == 1 ? op->weight(node, rank) : Axes();
        if (!first && !(wanted == order)) return {};
        order = wanted;
        first = false;
      }
    return order;
  }

  // A buffer, or nothing of its own: numbers that say how, and statistics.
  enum class Role : std::uint8_t { parameter, buffer, constant };
  Role role_of(const pb::TensorProto& message, const Tensor& t) const {
    if (!is_floating(t.dtype())) return message.doc_string() == "buffer" ? Role::buffer : Role::constant;
    if (model_.producer_name() == "weft")
      return message.doc_string() == "parameter" ? Role::parameter
             : message.doc_string() == "buffer"  ? Role::buffer
                                                 : Role::constant;
    if (t.rank() == 0) return Role::constant;
    static const std::set<std::string> settings{"Clip", "Pad", "Resize", "Pow", "OneHot", "Range", "Expand", "Reshape"};
    Role role = Role::parameter;
    for (const pb::NodeProto& node : nodes_)
      for (int i = 0; i < node.input_size(); ++i)
        if (node.input(i) == message.name()) {
          if (settings.contains(node.op_type())) return Role::constant;
          if (node.op_type() == "BatchNormalization" && i >= 3) role = Role::buffer;
        }
    return role;
  }

  void add_initializers() {
    for (const pb::TensorProto& message : graph_.initializer()) {
      const Tensor t = from_message(message, "onnx::load");
      const int slot = slot_of(message.name());
      const Role role = role_of(message, t);
      if (role == Role::constant) {
        constant(slot).plain = t;
        continue;
      }
      const Axes order = order_of_weight(message.name(), t.rank());
      program_->owned.push_back(
          {slot, message.name(), order.count() > 0 ? permute(t, order) : t, order, role == Role::parameter});
      owned_.insert(slot);
    }
  }

  void add_inputs() {
    for (const pb::ValueInfoProto& info : graph_.input()) {
      if (slots_.contains(info.name())) continue;  // an initialiser, which older files list too
      const pb::TypeProto::Tensor& type = info.type().tensor_type();
      ProgramInput input{slot_of(info.name()), f32, {}, type.has_shape(), false};
      switch (type.elem_type()) {
        case pb::TensorProto::FLOAT: break;
        case pb::TensorProto::DOUBLE: input.dtype = f64; break;
        case pb::TensorProto::INT64:
        case pb::TensorProto::INT32: input.dtype = i64; break;
        case pb::TensorProto::UINT8:
        case pb::TensorProto::BOOL: input.dtype = u8; break;
        default:
          fail("onnx::load: the input \"", info.name(), "\" is of ONNX's type ", type.elem_type(),
               ", needs float, double, int64, int32, uint8 or bool");
      }
      for (const auto& dim : type.shape().dim()) input.sizes.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
      if (input.sizes.size() > max_rank)
        fail("onnx::load: the input \"", info.name(), "\" has ", input.sizes.size(), " axes, needs at most ", max_rank);
      input.image = input.sizes.size() == 4 && images_.contains(info.name()) && !program_->channels_first;
      program_->input_names.push_back(info.name());
      program_->inputs.push_back(std::move(input));
    }
  }

  void add_step(const pb::NodeProto& node) {
    Step step;
    std::vector<const Tensor*> known;
    bool all_known = true;
    for (const std::string& name : node.input()) {
      const auto found = slots_.find(name);
      if (!name.empty() && found == slots_.end())
        fail("onnx::load: ", node.op_type(), " \"", node.name(), "\" takes \"", name,
             "\", which nothing before it makes");
      step.inputs.push_back(name.empty() ? -1 : found->second);
      const bool is_known = !name.empty() && constant(found->second).plain.defined();
      known.push_back(is_known ? &constant(found->second).plain : nullptr);
      all_known = all_known && (name.empty() || is_known);
    }
    NodeReader reader(node, known, version_);
    const ReadOp* op = operator_of(node);
    if (op == nullptr)
      reader.refuse("the operator " + (node.domain().empty() ? "" : node.domain() + ".") + node.op_type() +
                    " is not known here");
    step.run = op->read(reader);
    reader.expect_no_more();
    step.where = reader.where();
    for (const std::string& name : node.output()) step.outputs.push_back(name.empty() ? -1 : slot_of(name));
    if (!all_known) {
      program_->steps.push_back(std::move(step));
      return;
    }
    run_step(step, program_->constants);
  }

 public:
  static void run_step(const Step& step, std::vector<Slot>& slots) {
    Call call(slots, step.inputs, step.outputs);
    try {
      step.run(call);
    } catch (const Error& e) {
      fail(in_one_line(step.where + ": " + e.what()));
    }
  }

 private:
  void add_outputs() {
    for (const pb::ValueInfoProto& info : graph_.output()) {
      const auto found = slots_.find(info.name());
      if (found == slots_.end()) fail("onnx::load: nothing makes the output \"", info.name(), "\"");
      program_->output_names.push_back(info.name());
      program_->outputs.push_back(found->second);
      program_->image_outputs.push_back(!program_->channels_first && made_of_images_.contains(info.name()));
    }
    if (program_->outputs.empty()) fail("onnx::load: the graph has no output");
  }

  void find_last_uses() {
    std::set<int> later(program_->outputs.begin(), program_->outputs.end());
    for (auto step = program_->steps.rbegin(); step != program_->steps.rend(); ++step) {
      for (const auto& list : {step->inputs, step->outputs})
        for (const int v : list)
          if (v >= 0 && !owned_.contains(v) && constant(v).empty() && later.insert(v).second)
            step->last_uses.push_back(v);
    }
  }

  const pb::ModelProto& model_;
  const pb::GraphProto& graph_;
  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  Functions functions_;
  std::vector<pb::NodeProto> nodes_;
  std::set<std::string> images_, made_of_images_;
  std::map<std::string, int> slots_;
  std::set<int> owned_;
  std::int64_t version_ = 0;
  int calls_ = 0;
};

bool fits(const Tensor& t, const ProgramInput& input, const Axes& order) {
  if (t.rank() != static_cast<int>(input.sizes.size())) return false;
  for (int i = 0; i < t.rank(); ++i) {
    const std::int64_t size = input.sizes[static_cast<std::size_t>(i)];
    if (size >= 0 && t.shape()[static_cast<int>(order[i])] != size) return false;
  }
  return true;
}

}  // namespace

Tensors Program::run(const Tensors& given) const {
  if (given.size() != inputs.size()) fail("onnx::Graph: got ", given.size(), " inputs, needs ", inputs.size());
  std::vector<Slot> slots = constants;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const ProgramInput& input = inputs[i];
    const Tensor& t = given[i];
    const Axes order = order_of(t.rank(), input.image ? Layout::first : Layout::last);
    if (t.dtype() != input.dtype || (input.ranked && !fits(t, input, order))) {
      std::string sizes;
      for (std::size_t k = 0; k < input.sizes.size(); ++k) {
        const auto axis = static_cast<std::size_t>(
            input.image ? inverse(order_of(4, Layout::first))[static_cast<int>(k)] : static_cast<std::int64_t>(k));
        sizes += (k == 0 ? "" : ", ") + (input.sizes[axis] < 0 ? "any" : std::to_string(input.sizes[axis]));
      }
      fail("onnx::Graph: got ", t.dtype(), " ", t.shape(), " as \"", in_one_line(input_names[i]), "\", needs ",
           input.dtype, " {", sizes, "}");
    }
    Slot& slot = slots[static_cast<std::size_t>(input.slot)];
    (input.image ? slot.image : slot.plain) = t;
  }
  for (std::size_t i = 0; i < owned.size(); ++i) {
    Slot& slot = slots[static_cast<std::size_t>(owned[i].slot)];
    (owned[i].order.count() > 0 ? slot.weight : slot.plain) = *held[i];
    slot.order = owned[i].order;
  }
  for (const Step& step : steps) {
    Builder::run_step(step, slots);
    for (const int v : step.last_uses) slots[static_cast<std::size_t>(v)] = {};
  }
  Tensors results;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const int slot = outputs[i];
    if (slots[static_cast<std::size_t>(slot)].empty())
      fail("onnx::Graph: the output \"", in_one_line(output_names[i]), "\" has no value");
    Call call(slots, std::span(&slot, 1), {});
    const bool image = image_outputs[i] && call.is_image(0) && call.rank(0) == 4;
    results.push_back(image ? call.image(0) : call.in(0));
  }
  return results;
}

std::unique_ptr<Program> read_program(const pb::ModelProto& model, const LoadOptions& options) {
  return Builder(model, options).build();
}

}  // namespace weft::onnx::detail

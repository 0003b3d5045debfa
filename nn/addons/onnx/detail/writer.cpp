#include <weft/nn/addons/onnx/detail/writer.hpp>

#include <algorithm>

#include <weft/nn/addons/onnx/detail/operators.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {
namespace {

// Content by which a small constant is found again.
std::string content_of(const Tensor& t, bool mask) { return to_message(t, "", mask).SerializeAsString(); }

Dims ordered_dims(const Dims& dims, const Axes& order) {
  Dims result;
  for (const std::int64_t axis : order) result.push_back(dims[static_cast<std::size_t>(axis)]);
  return result;
}

}  // namespace

Writer::Writer(const Trace& trace, const SaveOptions& options)
    : trace_(trace), options_(options), held_(trace.values.size()), is_image_(trace.values.size()) {
  graph_ = model_.mutable_graph();
  for (const TracedOp& op : trace.ops)
    for (const int v : op.inputs)
      if (v >= 0) users_.emplace(v, &op);
}

pb::ModelProto Writer::model() && {
  model_.set_ir_version(ir_version);
  model_.set_producer_name("weft");
  pb::OperatorSetIdProto& standard = *model_.add_opset_import();
  standard.set_domain("");
  standard.set_version(opset);
  graph_->set_name("net");
  find_images();
  write_inputs();
  for (const TracedOp& op : trace_.ops)
    if (!skipped_.contains(&op)) write_op(op);
  op_ = nullptr;
  write_outputs();
  if (!functions_.empty()) {
    pb::OperatorSetIdProto& ours = *model_.add_opset_import();
    ours.set_domain(weft_domain);
    ours.set_version(1);
  }
  return std::move(model_);
}

// From the results backwards: what an op that asks for channels first is given, and what that is made of.
void Writer::find_images() {
  for (auto op = trace_.ops.rbegin(); op != trace_.ops.rend(); ++op) {
    const WriteOp::Asks asks = operators().write.at(op->name).asks;
    if (asks == WriteOp::images && op->in(0) >= 0) is_image_[static_cast<std::size_t>(op->in(0))] = true;
    if (asks != WriteOp::any || op->out() < 0 || !is_image_[static_cast<std::size_t>(op->out())]) continue;
    for (const int v : op->inputs)
      if (v >= 0 && rank(v) == rank(op->out())) is_image_[static_cast<std::size_t>(v)] = true;
  }
  // And forwards: what such an op gives.
  from_image_ = is_image_;
  for (const TracedOp& op : trace_.ops) {
    const WriteOp& known = operators().write.at(op.name);
    bool from = known.asks == WriteOp::images;
    for (const int v : op.inputs)
      from = from || (v >= 0 && known.keeps() && from_image_[static_cast<std::size_t>(v)] && rank(v) == rank(op.out()));
    for (const int v : op.outputs)
      if (v >= 0) from_image_[static_cast<std::size_t>(v)] = from;
  }
}

void Writer::set_type(pb::ValueInfoProto& info, int v, Layout layout) const {
  pb::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(element_type(dtype(v)));
  type.mutable_shape();  // a scalar has one too
  const Axes order = order_of(rank(v), layout);
  for (const std::int64_t axis : order) {
    const Dim& dim = dims(v)[static_cast<std::size_t>(axis)];
    auto& to = *type.mutable_shape()->add_dim();
    if (dim.per_batch == 0)
      to.set_dim_value(dim.fixed);
    else
      to.set_dim_param(dim.per_batch == 1 ? "batch" : std::to_string(dim.per_batch) + " batch");
  }
}

void Writer::write_inputs() {
  const auto& given = options_.input_names;
  const std::size_t count = trace_.inputs.size();
  if (!given.empty() && given.size() != count)
    fail("onnx::save: got ", given.size(), " input names for ", count, " inputs");
  for (std::size_t i = 0; i < count; ++i) {
    const int v = trace_.inputs[i];
    const bool first = !options_.channels_last && rank(v) == 4 && is_image_[static_cast<std::size_t>(v)];
    const std::string usual = count == 1 ? "input" : "input_" + std::to_string(i);
    const std::string name = unique(given.empty() ? usual : given[i]);
    pb::ValueInfoProto& info = *graph_->add_input();
    info.set_name(name);
    set_type(info, v, first ? Layout::first : Layout::last);
    give(v, name, first ? Layout::first : Layout::last);
  }
}

void Writer::refuse(const std::string& why) const {
  const std::string where = op_ == nullptr || op_->path.empty() ? "" : op_->path + ": ";
  fail("onnx::save: ", where, op_ == nullptr ? "" : op_->name + ": ", why);
}

void Writer::write_op(const TracedOp& op) {
  op_ = &op;
  const WriteOp& known = operators().write.at(op.name);
  for (const std::string& field : op.changed)
    if (std::find(known.by_batch.begin(), known.by_batch.end(), field) == known.by_batch.end())
      refuse("its " + field + " hangs on the batch: symbolic_batch = false writes it for this size");
  known.write(*this, op);
}

void Writer::write_outputs() {
  const auto& given = options_.output_names;
  const std::size_t count = trace_.outputs.size();
  if (!given.empty() && given.size() != count)
    fail("onnx::save: got ", given.size(), " output names for ", count, " outputs");
  for (std::size_t i = 0; i < count; ++i) {
    const int v = trace_.outputs[i];
    const std::string usual = count == 1 ? "output" : "output_" + std::to_string(i);
    const std::string name = unique(given.empty() ? usual : given[i]);
    const bool first =
        !options_.channels_last && rank(v) == 4 && from_image_[static_cast<std::size_t>(v)] && !has(v, Layout::last);
    const Layout layout = first ? Layout::first : Layout::last;
    const std::string from = get(v, layout);
    pb::ValueInfoProto& info = *graph_->add_output();
    info.set_name(name);
    set_type(info, v, layout);
    rename_or_copy(from, name);
  }
}

// The node that makes the value gives it the output's name; a copy is made of what is an output already, and where
// graphs inside of nodes may use the old name.
void Writer::rename_or_copy(const std::string& from, const std::string& name) {
  const bool is_output = std::any_of(graph_->output().begin(), graph_->output().end(),
                                     [&](const pb::ValueInfoProto& info) { return info.name() == from; });
  const bool has_inner = std::any_of(graph_->node().begin(), graph_->node().end(),
                                     [](const pb::NodeProto& node) { return node.op_type() == "Scan"; });
  bool renamed = false;
  if (!is_output && !has_inner)
    for (pb::NodeProto& node : *graph_->mutable_node())
      for (std::string& output : *node.mutable_output())
        if (output == from) output = name, renamed = true;
  if (!renamed) {
    write(*next_node(), name, "Identity", {from}, {}, 1);
    return;
  }
  for (pb::NodeProto& node : *graph_->mutable_node())
    for (std::string& input : *node.mutable_input())
      if (input == from) input = name;
  for (Held& held : held_)
    for (auto& forms : held.name) std::replace(forms.begin(), forms.end(), from, name);
}

std::string Writer::unique(const std::string& name) {
  std::string free = name;
  for (int i = 1; !names_.insert(free).second; ++i) free = name + "_" + std::to_string(i);
  return free;
}

std::string Writer::name_of_node(const char* type) {
  if (op_ == nullptr) return unique(type);
  const std::string path = (op_->path.empty() ? "" : op_->path + "/") + op_->name;
  return unique(std::exchange(main_, false) ? path : path + "/" + type);
}

bool Writer::has(int v, Layout layout) const {
  const auto& forms = held_[static_cast<std::size_t>(v)].name[static_cast<std::size_t>(normal(v, layout))];
  return is_constant(v) || !forms[0].empty() || !forms[1].empty();
}

bool Writer::is_mask(int v) const {
  const auto& name = held_[static_cast<std::size_t>(v)].name;
  return name[0][0].empty() && name[1][0].empty() && !(name[0][1].empty() && name[1][1].empty());
}

void Writer::give(int v, std::string name, Layout layout, bool mask) {
  if (v >= 0) held_[static_cast<std::size_t>(v)].at(normal(v, layout), mask) = std::move(name);
}

std::string Writer::get(int v, Layout asked, bool mask) {
  const Layout layout = normal(v, asked), other = layout == Layout::last ? Layout::first : Layout::last;
  Held& held = held_[static_cast<std::size_t>(v)];
  std::string& name = held.at(layout, mask);
  if (!name.empty()) return name;
  if (is_constant(v)) {
    name = initializer(v, order_of(rank(v), layout), tensor(v).shape(), mask);
    if (tensor(v).shape() != shape(v)) {  // one row, for the whole batch
      const Dims sizes = ordered_dims(dims(v), order_of(rank(v), layout));
      std::string& wide = expanded_[name + list(sizes)];
      if (wide.empty()) wide = (*this)("Expand", {name, list(sizes)});
      name = wide;
    }
  } else if (!held.at(layout, !mask).empty()) {
    name = cast(held.at(layout, !mask), u8, mask);
  } else if (!held.at(other, mask).empty()) {
    name = transposed(held.at(other, mask), v, layout);
  } else if (!held.at(other, !mask).empty()) {
    held.at(layout, !mask) = transposed(held.at(other, !mask), v, layout);
    name = cast(held.at(layout, !mask), u8, mask);
  } else {
    refuse("a value is used that no op has made");
  }
  return name;
}

std::string Writer::transposed(const std::string& name, int v, Layout to) {
  const Axes first = order_of(rank(v), Layout::first), order = to == Layout::first ? first : inverse(first);
  // An image of one pixel, or of one channel, has its elements in the same order.
  int wide = 0;
  for (int axis = 1; axis < rank(v); ++axis) wide += dims(v)[static_cast<std::size_t>(axis)] == Dim{1, 0} ? 0 : 1;
  if (wide <= 1) return (*this)("Reshape", {name, list_for_reshape(ordered_dims(dims(v), order_of(rank(v), to)))});
  return (*this)("Transpose", {name}, {{"perm", std::vector<std::int64_t>(order.begin(), order.end())}});
}

std::string Writer::initializer(int v, const Axes& order, const Shape& seen, bool mask) {
  const std::string key = "value " + std::to_string(v) + weft::detail::to_text(seen) +
                          (in_order(order) ? "" : weft::detail::to_text(order)) + (mask ? "mask" : "");
  std::string& name = initializers_[key];
  if (!name.empty()) return name;
  if (value(v).kind == TracedValue::constant)
    return name = constant(permute(weft::reshape(tensor(v), seen), order), mask);
  name = unique(value(v).name);
  pb::TensorProto& message = *graph_->add_initializer();
  message = to_message(permute(weft::reshape(tensor(v), seen), order), name, mask);
  if (value(v).kind == TracedValue::parameter) message.set_doc_string("parameter");
  if (value(v).kind == TracedValue::buffer) message.set_doc_string("buffer");
  return name;
}

std::string Writer::permuted(int v, const Axes& order) {
  if (is_constant(v)) return initializer(v, order, tensor(v).shape(), false);
  std::string name = get(v);
  if (in_order(order)) return name;
  return (*this)("Transpose", {name}, {{"perm", std::vector<std::int64_t>(order.begin(), order.end())}});
}

std::string Writer::aligned(int v, int to_rank, Layout layout, bool mask) {
  if (rank(v) == to_rank || layout == Layout::last || shape(v).size() == 1) return get(v, layout, mask);
  Shape wide = tensor(v).shape();
  while (wide.rank() < to_rank) wide.insert(0, 1);
  return initializer(v, order_of(to_rank, layout), wide, mask);
}

Layout Writer::layout_for(std::span<const int> operands, int to_rank) const {
  if (to_rank < 3) return Layout::last;
  int firsts = 0, lasts = 0;
  for (const int v : operands) {
    if (v < 0 || is_constant(v)) continue;
    if (rank(v) == to_rank)
      (has(v, Layout::last) ? lasts : firsts) += 1;
    else if (shape(v).size() > 1)
      return Layout::last;
    if (rank(v) == to_rank && has(v, Layout::first) && has(v, Layout::last)) --lasts;
  }
  return firsts > 0 && firsts >= lasts ? Layout::first : Layout::last;
}

std::string Writer::filled(int v, double number) { return constant(full({shape(v)[rank(v) - 1]}, number, dtype(v))); }

std::string Writer::constant(const Tensor& t, bool mask) {
  const bool small = t.size() <= 64;
  std::string& name =
      initializers_[small ? "content " + content_of(t, mask) : "large " + std::to_string(initializers_.size())];
  if (!name.empty()) return name;
  name = unique("constant");
  *graph_->add_initializer() = to_message(t, name, mask);
  return name;
}

std::string Writer::list(const Dims& sizes) {
  std::string key;
  for (const Dim& dim : sizes) key += std::to_string(dim.fixed) + "+" + std::to_string(dim.per_batch) + "b ";
  std::string& made = lists_[key];
  if (made.empty()) made = new_list(sizes);
  return made;
}

std::string Writer::new_list(const Dims& sizes) {
  Names parts;
  std::vector<std::int64_t> numbers;
  const auto end_numbers = [&] {
    if (!numbers.empty()) parts.push_back(wholes(std::exchange(numbers, {})));
  };
  for (const Dim& dim : sizes) {
    if (dim.per_batch == 0) {
      numbers.push_back(dim.fixed);
      continue;
    }
    end_numbers();
    if (batch_.empty()) {
      batch_ = unique("batch");
      const int input = trace_.inputs[0];
      const Layout layout = has(input, Layout::last) ? Layout::last : Layout::first;
      write(*next_node(), batch_, "Shape", {get(input, layout)}, {{"start", 0}, {"end", 1}}, 1);
    }
    parts.push_back(dim.per_batch == 1 ? batch_ : (*this)("Mul", {batch_, wholes({dim.per_batch})}));
  }
  end_numbers();
  if (parts.empty()) return wholes({});
  return parts.size() == 1 ? parts[0] : (*this)("Concat", parts, {{"axis", 0}});
}

std::string Writer::list_for_reshape(const Dims& sizes) {
  const auto open = std::count_if(sizes.begin(), sizes.end(), [](const Dim& d) { return d.per_batch != 0; });
  if (open != 1) return list(sizes);
  std::vector<std::int64_t> numbers;
  for (const Dim& d : sizes) numbers.push_back(d.per_batch != 0 ? -1 : d.fixed);
  return wholes(numbers);
}

Names Writer::function(const std::string& name, const Names& inputs, const Attributes& attributes, int outputs,
                       const Body& body) {
  if (!options_.functions) return body(*this, inputs);
  pb::FunctionProto definition = define(body, inputs.size(), attributes);
  const std::string text = definition.SerializeAsString();
  std::vector<std::string>& known = functions_[name];
  const auto found = std::find(known.begin(), known.end(), text);
  const auto index = found - known.begin();
  const std::string full_name = index == 0 ? name : name + "_" + std::to_string(index + 1);
  if (found == known.end()) {
    known.push_back(text);
    definition.set_name(full_name);
    *model_.add_functions() = std::move(definition);
  }
  main_ = true;
  return write(*next_node(), name_of_node(name.c_str()), full_name, inputs, attributes, outputs, weft_domain);
}

const TracedOp* Writer::only_user(int v) const {
  const auto [begin, end] = users_.equal_range(v);
  if (std::distance(begin, end) != 1 || std::count(trace_.outputs.begin(), trace_.outputs.end(), v) > 0) return nullptr;
  return begin->second;
}

}  // namespace weft::onnx::detail

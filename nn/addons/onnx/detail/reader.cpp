#include <weft/nn/addons/onnx/detail/reader.hpp>

#include <algorithm>

#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {

Shape checked_shape(const char* op, const std::vector<std::int64_t>& sizes) {
  if (sizes.size() > max_rank) fail(op, ": got ", sizes.size(), " axes, needs at most ", max_rank);
  const Shape shape(sizes);
  weft::detail::checked_size(op, shape, 1);
  if (shape.size() > most_elements) fail(op, ": got the shape ", shape, ", needs at most ", most_elements, " elements");
  return shape;
}

int Call::rank(std::size_t i) const {
  const Slot& s = input(i);
  return (s.plain.defined() ? s.plain : s.image.defined() ? s.image : s.weight).rank();
}

Layout Call::layout_of(std::size_t i) const {
  const Slot& s = input(i);
  return s.image.defined() && !s.plain.defined() ? Layout::first : Layout::last;
}

const Tensor& Call::in(std::size_t i) {
  if (!has(i)) fail("got no input ", i, ", needs it");
  Slot& s = input(i);
  if (s.empty()) fail("got an input ", i, " without a value");
  if (!s.plain.defined())
    s.plain = s.image.defined() ? permute(s.image, order_of(s.image.rank(), Layout::first))
                                : permute(s.weight, inverse(s.order));
  return s.plain;
}

const Tensor& Call::image(std::size_t i) {
  Slot& s = input(i);
  if (!s.image.defined()) {
    const Tensor& plain = in(i);
    s.image = permute(plain, inverse(order_of(plain.rank(), Layout::first)));
  }
  return s.image;
}

Tensor Call::weight(std::size_t i, const Axes& order) {
  const Slot& s = input(i);
  if (s.weight.defined() && s.order == order) return s.weight;
  return permute(in(i), order);
}

std::vector<std::int64_t> Call::list(std::size_t i) {
  const Tensor t = in(i).to(i64);
  if (t.rank() > 1) fail("got ", t.shape(), " as a list, needs one axis");
  const auto values = t.data<std::int64_t>();
  return {values.begin(), values.end()};
}

Tensors Call::operands(Layout& file) {
  int most = 0;
  for (std::size_t i = 0; i < inputs(); ++i) most = std::max(most, rank(i));
  bool images = false;
  for (std::size_t i = 0; i < inputs(); ++i) images = images || (rank(i) == most && is_image(i));
  file = images ? Layout::first : Layout::last;
  Tensors all;
  for (std::size_t i = 0; i < inputs(); ++i) {
    if (images && rank(i) == most) {
      all.push_back(image(i));
    } else if (images && in(i).size() > 1) {
      Shape wide = in(i).shape();
      while (wide.rank() < most) wide.insert(0, 1);
      all.push_back(permute(reshape(in(i), wide), inverse(order_of(most, Layout::first))));
    } else {
      all.push_back(in(i));
    }
  }
  return all;
}

void NodeReader::needs(std::size_t least, std::size_t most, std::size_t outputs_of) const {
  if (known_.size() < least || known_.size() > most)
    refuse("it has " + std::to_string(known_.size()) + " inputs, needs " + std::to_string(least) +
           (most > least ? " to " + std::to_string(most) : ""));
  for (std::size_t i = 0; i < least; ++i)
    if (!has(i)) refuse("input " + std::to_string(i) + " is missing");
  std::size_t named = outputs();
  while (named > 0 && node_.output(static_cast<int>(named - 1)).empty()) --named;
  if (named > outputs_of)
    refuse("it has " + std::to_string(named) + " outputs, needs at most " + std::to_string(outputs_of));
}

std::optional<double> NodeReader::number(std::size_t i) const {
  const Tensor* t = known(i);
  if (t == nullptr || t->rank() > 0 || !is_floating(t->dtype())) return {};
  return t->item();
}

std::optional<std::vector<std::int64_t>> NodeReader::list_at(std::size_t i, const char* attribute) {
  if (!has(i)) return list(attribute);
  const Tensor* t = known(i);
  if (t == nullptr || t->dtype() != i64 || t->rank() > 1)
    refuse(std::string("its ") + attribute + " are computed, needs a constant list");
  const auto values = t->data<std::int64_t>();
  return std::vector<std::int64_t>(values.begin(), values.end());
}

bool NodeReader::has_attribute(const char* name) const {
  return std::any_of(node_.attribute().begin(), node_.attribute().end(),
                     [&](const auto& a) { return a.name() == name; });
}

const pb::AttributeProto* NodeReader::find(const char* name, int type, bool required) {
  asked_.insert(name);
  for (const pb::AttributeProto& attribute : node_.attribute())
    if (attribute.name() == name) {
      if (attribute.type() != type) refuse(std::string("the attribute ") + name + " is of another type than ONNX's");
      return &attribute;
    }
  if (required) refuse(std::string("the attribute ") + name + " is missing");
  return nullptr;
}

std::int64_t NodeReader::whole(const char* name, std::optional<std::int64_t> usual) {
  const auto* found = find(name, pb::AttributeProto::INT, !usual.has_value());
  return found != nullptr ? found->i() : *usual;
}

double NodeReader::real(const char* name, std::optional<double> usual) {
  for (const pb::AttributeProto& attribute : node_.attribute())
    if (attribute.name() == name && attribute.type() == pb::AttributeProto::TENSOR) return tensor(name).item();
  const auto* found = find(name, pb::AttributeProto::FLOAT, !usual.has_value());
  return found != nullptr ? digits_of(found->f()) : *usual;
}

std::optional<std::vector<std::int64_t>> NodeReader::list(const char* name) {
  const auto* found = find(name, pb::AttributeProto::INTS, false);
  if (found == nullptr) return {};
  return std::vector<std::int64_t>(found->ints().begin(), found->ints().end());
}

std::string NodeReader::text(const char* name, std::optional<std::string> usual) {
  const auto* found = find(name, pb::AttributeProto::STRING, !usual.has_value());
  return found != nullptr ? found->s() : *usual;
}

Tensor NodeReader::tensor(const char* name) {
  return from_message(find(name, pb::AttributeProto::TENSOR, true)->t(), where());
}

void NodeReader::expect_no_more() const {
  for (const pb::AttributeProto& attribute : node_.attribute())
    if (!asked_.contains(attribute.name())) refuse("the attribute " + attribute.name() + " is not known here");
}

std::string NodeReader::where() const {
  return "onnx::load: " + node_.op_type() + " \"" +
         (node_.name().empty() ? node_.output_size() > 0 ? node_.output(0) : "" : node_.name()) + "\"";
}

void NodeReader::refuse(const std::string& why) const { fail(where(), ": ", why); }

}  // namespace weft::onnx::detail

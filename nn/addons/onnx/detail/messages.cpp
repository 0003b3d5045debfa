#include <weft/nn/addons/onnx/detail/messages.hpp>

#include <bit>
#include <charconv>
#include <cstring>

#include <weft/engine/create.hpp>
#include <weft/ops/compare.hpp>

namespace weft::onnx::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data is copied as it is");

// Elements of type From in `message`, raw or in the list that belongs to their type, as a tensor.
template <class From, class To, class List>
Tensor elements(const pb::TensorProto& message, const List& list, const Shape& shape, const std::string& where) {
  const auto count = static_cast<std::uint64_t>(shape.size());
  const std::string& raw = message.raw_data();
  const bool is_raw = message.has_raw_data();
  if (is_raw ? raw.size() != count * sizeof(From) : static_cast<std::uint64_t>(list.size()) != count)
    fail(where, ": the tensor \"", message.name(), "\" has ",
         is_raw ? raw.size() / sizeof(From) : static_cast<std::size_t>(list.size()), " elements, needs ", count,
         " for its shape ", shape);
  Tensor t = empty(shape, dtype_of<To>);
  auto to = t.mutable_data<To>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    From value{};
    if (is_raw)
      std::memcpy(&value, raw.data() + i * sizeof(From), sizeof(From));
    else
      value = static_cast<From>(list.Get(static_cast<int>(i)));
    to[i] = static_cast<To>(value);
  }
  return t;
}

// The f32 with a half's value.
float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U, exponent = half >> 10U & 0x1fU, fraction = half & 0x3ffU;
  if (exponent == 0) return (sign != 0 ? -1.0F : 1.0F) * static_cast<float>(fraction) / 16777216.0F;
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23U | fraction << 13U);
}

}  // namespace

double digits_of(float value) {
  char text[64];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double read = value;
  std::from_chars(text, written.ptr, read);
  return read;
}

void set_attribute(pb::NodeProto& node, const Attribute& attribute) {
  pb::AttributeProto& to = *node.add_attribute();
  to.set_name(attribute.name);
  if (const auto* whole = std::get_if<std::int64_t>(&attribute.value)) {
    to.set_type(pb::AttributeProto::INT);
    to.set_i(*whole);
  } else if (const auto* real = std::get_if<double>(&attribute.value)) {
    if (node.domain() == weft_domain && digits_of(static_cast<float>(*real)) != *real) {
      to.set_type(pb::AttributeProto::TENSOR);
      *to.mutable_t() = to_message(scalar(*real, f64), attribute.name);
    } else {
      to.set_type(pb::AttributeProto::FLOAT);
      to.set_f(static_cast<float>(*real));
    }
  } else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attribute.value)) {
    to.set_type(pb::AttributeProto::INTS);
    for (const std::int64_t i : *list) to.add_ints(i);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    to.set_type(pb::AttributeProto::STRING);
    to.set_s(*text);
  } else if (const auto* graph = std::get_if<std::shared_ptr<const pb::GraphProto>>(&attribute.value)) {
    to.set_type(pb::AttributeProto::GRAPH);
    *to.mutable_g() = **graph;
  } else {
    to.set_type(pb::AttributeProto::TENSOR);
    *to.mutable_t() = to_message(std::get<Tensor>(attribute.value), attribute.name);
  }
}

std::string in_one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  return text;
}

int element_type(DType dtype, bool mask) {
  switch (dtype) {
    case DType::f32: return pb::TensorProto::FLOAT;
    case DType::f64: return pb::TensorProto::DOUBLE;
    case DType::i64: return pb::TensorProto::INT64;
    default: return mask ? pb::TensorProto::BOOL : pb::TensorProto::UINT8;
  }
}

pb::TensorProto to_message(const Tensor& t, const std::string& name, bool mask) {
  pb::TensorProto message;
  message.set_name(name);
  for (const std::int64_t size : t.shape()) message.add_dims(size);
  message.set_data_type(element_type(t.dtype(), mask));
  const Tensor values = mask ? not_equal(t, 0.0) : t;  // a bool is 0 or 1
  weft::detail::visit_dtype(values.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto data = values.data<T>();
    message.set_raw_data(data.data(), data.size() * sizeof(T));
  });
  return message;
}

Tensor from_message(const pb::TensorProto& m, const std::string& where) {
  if (m.dims_size() > max_rank)
    fail(where, ": the tensor \"", m.name(), "\" has ", m.dims_size(), " axes, needs at most ", max_rank);
  if (m.data_location() == pb::TensorProto::EXTERNAL || m.has_segment())
    fail(where, ": the tensor \"", m.name(), "\" has its elements in another file, needs them in the same");
  Shape shape;
  for (const std::int64_t size : m.dims()) shape.append(size);
  if (m.has_raw_data()) {
    // No more than what is there, before memory is taken for it.
    std::uint64_t size = 1;
    for (const std::int64_t d : shape)
      if (d < 0 || __builtin_mul_overflow(size, static_cast<std::uint64_t>(d), &size)) size = ~std::uint64_t{0};
    if (size > m.raw_data().size())
      fail(where, ": the tensor \"", m.name(), "\" of shape ", shape, " has ", m.raw_data().size(),
           " bytes, needs one of the size of its elements");
  }
  weft::detail::checked_size(where.c_str(), shape, sizeof(double));
  switch (m.data_type()) {
    case pb::TensorProto::FLOAT: return elements<float, float>(m, m.float_data(), shape, where);
    case pb::TensorProto::DOUBLE: return elements<double, double>(m, m.double_data(), shape, where);
    case pb::TensorProto::INT64: return elements<std::int64_t, std::int64_t>(m, m.int64_data(), shape, where);
    case pb::TensorProto::INT32: return elements<std::int32_t, std::int64_t>(m, m.int32_data(), shape, where);
    case pb::TensorProto::INT16: return elements<std::int16_t, std::int64_t>(m, m.int32_data(), shape, where);
    case pb::TensorProto::UINT16: return elements<std::uint16_t, std::int64_t>(m, m.int32_data(), shape, where);
    case pb::TensorProto::UINT8: return elements<std::uint8_t, std::uint8_t>(m, m.int32_data(), shape, where);
    case pb::TensorProto::BOOL:
      return not_equal(elements<std::uint8_t, std::uint8_t>(m, m.int32_data(), shape, where), 0.0);
    case pb::TensorProto::FLOAT16: {
      const Tensor bits = elements<std::uint16_t, std::int64_t>(m, m.int32_data(), shape, where);
      Tensor t = empty(shape);
      auto to = t.mutable_data<float>();
      for (std::size_t i = 0; i < to.size(); ++i)
        to[i] = from_half(static_cast<std::uint16_t>(bits.data<std::int64_t>()[i]));
      return t;
    }
    default:
      fail(where, ": the tensor \"", m.name(), "\" is of ONNX's type ", m.data_type(),
           ", needs float, double, float16, bool, uint8, uint16, int16, int32 or int64");
  }
}

}  // namespace weft::onnx::detail

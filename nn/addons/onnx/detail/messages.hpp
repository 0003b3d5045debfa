#pragma once
// ONNX's messages: tensors and attributes in them.
#include <onnx/onnx_pb.h>

#include <weft/engine/tensor.hpp>

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace weft::onnx::detail {

namespace pb = ::onnx;

inline constexpr int opset = 17, ir_version = 8;  // the first that has functions
/// The domain of the functions that stand for weft's own ops.
inline constexpr const char* weft_domain = "weft";

/// A node's attribute by name.
struct Attribute {
  std::string name;
  std::variant<std::int64_t, double, std::vector<std::int64_t>, std::string, Tensor,
               std::shared_ptr<const pb::GraphProto>>
      value;
};
using Attributes = std::vector<Attribute>;

/// A number is written as ONNX's f32 where its digits can be read back from that, else, for a function of ours, as a
/// tensor of one f64.
void set_attribute(pb::NodeProto& node, const Attribute& attribute);
/// The number with the fewest digits that is this f32: 1e-5 for 9.99999974737875e-06.
double digits_of(float value);

/// The text in one line that a terminal shows: names in a file may hold anything.
std::string in_one_line(std::string text);

/// ONNX's number for a dtype; u8 is bool where it is a mask.
int element_type(DType dtype, bool mask = false);
/// The tensor's elements, row-major; u8 as bool if it is a mask.
pb::TensorProto to_message(const Tensor& t, const std::string& name, bool mask = false);
/// The tensor: f32, f64, i64, u8, or what they can hold of bool, half, i32, i16 and u16. `where` begins an Error.
Tensor from_message(const pb::TensorProto& message, const std::string& where);

}  // namespace weft::onnx::detail

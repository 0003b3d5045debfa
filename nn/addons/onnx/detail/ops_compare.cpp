// Comparisons, masks and conversions. ONNX's bool is a u8 of 0 and 1 here.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/compare.hpp>

namespace weft::onnx::detail {
namespace {

struct Comparison {
  const char *weft, *onnx;
  unsigned masks;  // which operands are
  Tensor (*f)(const Tensor&, const Tensor&);
};
constexpr Comparison comparisons[] = {
    {"equal", "Equal", 0, &equal},
    {"less", "Less", 0, &less},
    {"less_equal", "LessOrEqual", 0, &less_equal},
    {"greater", "Greater", 0, &greater},
    {"greater_equal", "GreaterOrEqual", 0, &greater_equal},
    {"logical_and", "And", 3, &logical_and},
    {"logical_or", "Or", 3, &logical_or},
};

struct Question {
  const char *weft, *onnx;
  unsigned masks;
  Tensor (*f)(const Tensor&);
};
constexpr Question questions[] = {
    {"logical_not", "Not", 1, &logical_not}, {"isnan", "IsNaN", 0, &isnan}, {"isinf", "IsInf", 0, &isinf}};

DType dtype_called(const std::string& name) {
  for (const DType dtype : {f32, f64, i64, u8})
    if (name == name_of(dtype)) return dtype;
  return f32;
}

void add_cast(Operators& all) {
  all.write["to"] = {[](Writer& w, const TracedOp& op) {
                       const DType to = dtype_called(op.text("dtype"));
                       const unsigned mask = w.is_mask(op.in(0)) ? 1 : 0;  // bool goes to numbers at once
                       write_elementwise(
                           w, op,
                           [&](const Names& in) {
                             return w.node("Cast", in, {{"to", element_type(to)}});
                           },
                           mask);
                     },
                     WriteOp::any};
  all.read["Cast"] = {[](NodeReader& node) -> Run {
                        node.needs(1, 1);
                        const auto give = [](auto f) -> Run {
                          return [=](Call& call) { call.give(f(call.any(0)), 0, call.layout_of(0)); };
                        };
                        switch (node.whole("to")) {
                          case pb::TensorProto::FLOAT: return give([](const Tensor& x) { return x.to(f32); });
                          case pb::TensorProto::DOUBLE: return give([](const Tensor& x) { return x.to(f64); });
                          case pb::TensorProto::INT64:
                          case pb::TensorProto::INT32: return give([](const Tensor& x) { return x.to(i64); });
                          case pb::TensorProto::UINT8: return give([](const Tensor& x) { return x.to(u8); });
                          case pb::TensorProto::BOOL: return give([](const Tensor& x) { return not_equal(x, 0.0); });
                          default:
                            node.refuse("it casts to another type than float, double, int64, int32, uint8 and bool");
                        }
                      },
                      ReadOp::any};
}

}  // namespace

void add_comparisons(Operators& all) {
  for (const Comparison& op : comparisons) {
    all.write[op.weft] = {as_node(op.onnx, op.masks, true), WriteOp::any};
    all.read[op.onnx] = {reads_elementwise(2, [f = op.f](const Tensors& in) { return f(in[0], in[1]); }), ReadOp::any};
  }
  for (const Question& op : questions) {
    all.write[op.weft] = {as_node(op.onnx, op.masks, true), WriteOp::any};
    all.read[op.onnx] = {reads_elementwise(1, [f = op.f](const Tensors& in) { return f(in[0]); }), ReadOp::any};
  }
  const auto denied = [](Nodes& n, const Names& in, DType, const TracedOp&) { return n("Not", {n("Equal", in)}); };
  all.write["not_equal"] = {as_function(denied, 0, true), WriteOp::any};
  all.functions["not_equal"] = {reads_elementwise(2, [](const Tensors& in) { return not_equal(in[0], in[1]); }),
                                ReadOp::any};
  const auto finite = [](Nodes& n, const Names& in, DType, const TracedOp&) {
    return n("Not", {n("Or", {n("IsNaN", in), n("IsInf", in)})});
  };
  all.write["isfinite"] = {as_function(finite, 0, true), WriteOp::any};
  all.functions["isfinite"] = {reads_elementwise(1, [](const Tensors& in) { return isfinite(in[0]); }), ReadOp::any};
  add_cast(all);
}

}  // namespace weft::onnx::detail

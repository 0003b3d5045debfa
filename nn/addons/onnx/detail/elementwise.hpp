#pragma once
// What operators of one family share that go element by element.
#include <weft/nn/addons/onnx/detail/operators.hpp>

#include <utility>

namespace weft::onnx::detail {

/// Writes an op that goes element by element: f is given its operands' names, in one layout, and gives the result's.
/// Bit i of `masks`: operand i is taken as bool.
template <class F>
void write_elementwise(Writer& w, const TracedOp& op, F f, unsigned masks = 0, bool gives_mask = false) {
  const int rank = w.rank(op.out());
  const Layout layout = w.layout_for(op.inputs, rank);
  Names in;
  for (std::size_t i = 0; i < op.inputs.size(); ++i)
    in.push_back(w.aligned(op.in(i), rank, layout, (masks >> i & 1U) != 0));
  w.give(op.out(), f(in), layout, gives_mask);
}

/// An op's fields as attributes of a function.
inline Attributes fields_of(const TracedOp& op) {
  Attributes fields;
  for (const Field& f : op.fields) switch (f.kind) {
      case Field::Kind::real: fields.push_back({f.name, f.real}); break;
      case Field::Kind::text: fields.push_back({f.name, f.text}); break;
      case Field::Kind::list: fields.push_back({f.name, f.list}); break;
      default: fields.push_back({f.name, f.whole});
    }
  return fields;
}

/// Of an op that is one node of the same operands.
inline auto as_node(const char* type, unsigned masks = 0, bool gives_mask = false) {
  return [=](Writer& w, const TracedOp& op) {
    write_elementwise(
        w, op, [&](const Names& in) { return w.node(type, in); }, masks, gives_mask);
  };
}
/// Of an op that is a function: body(nodes, inputs, dtype of the first, op) -> the result's name.
template <class B>
auto as_function(B body, unsigned masks = 0, bool gives_mask = false) {
  return [=](Writer& w, const TracedOp& op) {
    const DType dtype = w.dtype(op.in(0));
    const Attributes fields = fields_of(op);
    write_elementwise(
        w, op,
        [&](const Names& in) {
          return w.function(op.name, in, fields, 1,
                            [&](Nodes& n, const Names& x) { return Names{body(n, x, dtype, op)}; })[0];
        },
        masks, gives_mask);
  };
}

/// Reads a node of so many operands.
template <class F>
auto reads_elementwise(std::size_t operands, F f) {
  return [=](NodeReader& node) -> Run {
    node.needs(operands, operands);
    return [=](Call& call) { call.elementwise(f); };
  };
}

}  // namespace weft::onnx::detail

// Triangles, diagonals, and putting into slices: functions, but for the triangles.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/arrange.hpp>

namespace weft::onnx::detail {
namespace {

// a with the source at positions start, start + step, ... of an axis of `size`.
Names slice_put_body(Nodes& n, const Names& in, std::int64_t axis, std::int64_t start, std::int64_t count,
                     std::int64_t step, std::int64_t size, int rank) {
  if (count == 0) return {n("Identity", {in[0]})};
  if (step == 1 || count == 1) {
    Names parts;
    const std::string axes = n.wholes({axis});
    if (start > 0) parts.push_back(n("Slice", {in[0], n.wholes({0}), n.wholes({start}), axes}));
    parts.push_back(in[1]);
    if (start + count < size) parts.push_back(n("Slice", {in[0], n.wholes({start + count}), n.wholes({size}), axes}));
    return {n("Concat", parts, {{"axis", axis}})};
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.append(i == axis ? count : 1);
  std::vector<std::int64_t> at;
  for (std::int64_t i = 0; i < count; ++i) at.push_back(start + i * step);
  const std::string index = n("Expand", {n.constant(tensor(at, shape, i64)), n("Shape", {in[1]})});
  return {n("ScatterElements", {in[0], index, in[1]}, {{"axis", axis}})};
}

}  // namespace

void add_arrangements(Operators& all) {
  for (const char* name : {"tril", "triu"})
    all.write[name] = {[](Writer& w, const TracedOp& op) {
      const std::string k = w.constant(scalar(static_cast<double>(op.whole("k")), i64));
      w.give(op.out(), w.node("Trilu", {w.get(op.in(0)), k}, {{"upper", std::int64_t{op.name == "triu"}}}));
    }};
  all.read["Trilu"] = {[](NodeReader& node) -> Run {
    node.needs(1, 2);
    const bool upper = node.whole("upper", 1) != 0;
    return [=](Call& call) {
      const Tensor at = call.in_or_none(1);
      const std::int64_t k = at.defined() ? static_cast<std::int64_t>(at.item()) : 0;
      call.give(upper ? triu(call.in(0), k) : tril(call.in(0), k));
    };
  }};
  all.write["diagonal"] = {[](Writer& w, const TracedOp& op) {
    const Shape& shape = w.shape(op.in(0));
    const Dims& dims = w.dims(op.in(0));
    const auto rank = static_cast<std::size_t>(shape.rank());
    if (dims[rank - 1].per_batch + dims[rank - 2].per_batch != 0) w.refuse("it goes along the batch");
    std::vector<std::int64_t> sizes(rank - 2, 0), at;
    sizes.push_back(-1);
    for (std::int64_t i = 0; i < std::min(shape[-1], shape[-2]); ++i) at.push_back(i * (shape[-1] + 1));
    const auto body = [&](Nodes& n, const Names& in) {
      return Names{n("Gather", {n("Reshape", {in[0], n.wholes(sizes)}), n.wholes(at)}, {{"axis", -1}})};
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0))}, {}, 1, body)[0]);
  }};
  all.functions["diagonal"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    return [](Call& call) { call.give(diagonal(call.in(0))); };
  }};
  all.write["diag"] = {[](Writer& w, const TracedOp& op) {
                         const std::int64_t n_of = op.whole("rows");
                         if (w.rank(op.in(0)) != 1 || op.whole("columns") != n_of || !op.changed.empty())
                           w.refuse("it makes no square matrix of a fixed size");
                         const DType dtype = w.dtype(op.out());
                         const auto body = [=](Nodes& n, const Names& in) {
                           const std::string on = n.constant(eye(n_of, u8), true);
                           const std::string column = n("Unsqueeze", {in[0], n.wholes({1})});
                           return Names{n("Where", {on, column, n.number(0, dtype)})};
                         };
                         w.give(op.out(), w.function(op.name, {w.get(op.in(0))}, {}, 1, body)[0]);
                       },
                       WriteOp::last,
                       {"rows", "columns"}};
  all.functions["diag"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    return [](Call& call) { call.give(diag(call.in(0))); };
  }};
  all.write["slice_put"] = {[](Writer& w, const TracedOp& op) {
    const int rank = w.rank(op.in(0));
    const std::int64_t axis = op.whole("axis"), start = op.whole("start"), count = op.whole("count"),
                       step = op.whole("step"), size = w.shape(op.in(0))[static_cast<int>(axis)];
    if (w.dims(op.in(0))[static_cast<std::size_t>(axis)].per_batch != 0) w.refuse("it goes along the batch");
    const auto body = [=](Nodes& n, const Names& in) {
      return slice_put_body(n, in, axis, start, count, step, size, rank);
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0)), w.get(op.in(1))}, fields_of(op), 1, body)[0]);
  }};
  all.functions["slice_put"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const int axis = static_cast<int>(node.whole("axis"));
    const std::int64_t start = node.whole("start"), count = node.whole("count"), step = node.whole("step");
    if (start < 0 || count < 0 || step < 1 || count > most_elements || step > most_elements || start > most_elements)
      node.refuse("its positions are none");
    return [=](Call& call) { call.give(slice_put(call.in(0), axis, start, start + count * step, call.in(1), step)); };
  }};
}

}  // namespace weft::onnx::detail

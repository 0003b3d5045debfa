// Products of matrices and vectors.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/dot.hpp>
#include <weft/ops/matmul.hpp>

namespace weft::onnx::detail {
namespace {

// Matrices, transposed if they are to be.
std::string matrices(Writer& w, int v, bool transposed) {
  Axes order = order_of(w.rank(v), Layout::last);
  if (transposed) std::swap(order[-1], order[-2]);
  return w.permuted(v, order);
}

Run read_gemm(NodeReader& node) {
  node.needs(2, 3);
  const bool trans_a = node.whole("transA", 0) != 0, trans_b = node.whole("transB", 0) != 0;
  const double alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  return [=](Call& call) {
    const Axes across{1, 0}, along{0, 1};
    const Tensor a = trans_a ? call.weight(0, across) : call.in(0), b = call.weight(1, trans_b ? across : along);
    const Tensor c = call.in_or_none(2);
    const bool row = c.defined() && c.rank() == 1 && b.rank() == 2 && c.size() == b.size(1);
    if (alpha == 1 && beta == 1 && (row || !c.defined())) return call.give(linear(a, b, c));
    Tensor y = matmul(a, b);
    if (alpha != 1) y = y * alpha;
    if (c.defined()) y = y + (beta != 1 ? c * beta : c);
    call.give(y);
  };
}

// x w + b or x w over the channels of an image that is there channels first only: a convolution of one pixel, as a
// function, so that nothing is transposed.
void write_on_channels(Writer& w, const TracedOp& op) {
  const int rank = w.rank(op.in(0));
  const auto body = [=](Nodes& n, const Names& in) {
    std::vector<std::int64_t> spatial(static_cast<std::size_t>(rank - 2));
    for (std::size_t i = 0; i < spatial.size(); ++i) spatial[i] = static_cast<std::int64_t>(i) + 2;
    Names x = in;
    x[1] = n("Unsqueeze", {n("Transpose", {in[1]}, {{"perm", std::vector<std::int64_t>{1, 0}}}), n.wholes(spatial)});
    return Names{n("Conv", x)};
  };
  Names in{w.get(op.in(0), Layout::first), w.get(op.in(1))};
  if (op.in(2) >= 0) in.push_back(w.get(op.in(2)));
  const std::string name = op.name == "linear" ? "linear" : "matmul";
  w.give(op.out(), w.function(name, in, {{"channels_first", 1}}, 1, body)[0], Layout::first);
}
bool is_on_channels(const Writer& w, const TracedOp& op) {
  const int rank = w.rank(op.in(0));
  return rank >= 3 && rank <= 4 && !w.is_constant(op.in(0)) && !w.has(op.in(0), Layout::last) && w.rank(op.in(1)) == 2;
}
Run read_on_channels(NodeReader& node) {
  node.needs(2, 3);
  const bool first = node.whole("channels_first", 0) != 0;
  return [=](Call& call) {
    const Tensor y = linear(first ? call.image(0) : call.in(0), call.in(1), call.in_or_none(2));
    first ? call.give_image(y) : call.give(y);
  };
}

}  // namespace

void add_products(Operators& all) {
  all.write["matmul"] = {
      [](Writer& w, const TracedOp& op) {
        if (op.text("batching") == "rows" && op.whole("transposed_b") == 0 && is_on_channels(w, op))
          return write_on_channels(w, op);
        if (op.text("batching") == "summed") w.refuse("it sums over the rows of both");
        const std::string a = matrices(w, op.in(0), op.whole("transposed_a") != 0);
        w.give(op.out(), w.node("MatMul", {a, matrices(w, op.in(1), op.whole("transposed_b") != 0)}));
      },
      WriteOp::either};
  all.read["MatMul"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    return [](Call& call) { call.give(matmul(call.in(0), call.in(1))); };
  }};
  all.write["linear"] = {[](Writer& w, const TracedOp& op) {
                           if (is_on_channels(w, op)) return write_on_channels(w, op);
                           const Names in{w.get(op.in(0)), w.get(op.in(1)), w.get(op.in(2))};
                           if (w.rank(op.in(0)) == 2) return w.give(op.out(), w.node("Gemm", in));
                           const auto body = [](Nodes& n, const Names& x) {
                             return Names{n("Add", {n("MatMul", {x[0], x[1]}), x[2]})};
                           };
                           w.give(op.out(), w.function(op.name, in, {}, 1, body)[0]);
                         },
                         WriteOp::either};
  all.functions["linear"] = all.functions["matmul"] = {read_on_channels, ReadOp::either};
  const auto weight = [](const pb::NodeProto& node, int rank) {
    for (const pb::AttributeProto& a : node.attribute())
      if (a.name() == "transB" && a.i() != 0 && rank == 2) return Axes{1, 0};
    return Axes();
  };
  all.read["Gemm"] = {read_gemm, ReadOp::plain, weight};
  all.write["dot"] = {[](Writer& w, const TracedOp& op) {
    const auto body = [](Nodes& n, const Names& x) {
      return Names{n("ReduceSum", {n("Mul", {x[0], x[1]}), n.wholes({-1})}, {{"keepdims", 0}})};
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0)), w.get(op.in(1))}, {}, 1, body)[0]);
  }};
  all.functions["dot"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    return [](Call& call) {
      const Tensor &a = call.in(0), &b = call.in(1);
      if (a.rank() == 1) return call.give(dot(a, b));
      // Along the last axis: products of rows with columns.
      Shape row = a.shape(), column = b.shape(), rows = a.shape();
      row.insert(row.rank() - 1, 1);
      column.append(1);
      rows.erase(rows.rank() - 1);
      call.give(reshape(matmul(reshape(a, row), reshape(b, column)), rows));
    };
  }};
}

}  // namespace weft::onnx::detail

// Reductions, running sums and products, and what goes by order.
#include <algorithm>

#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/scan.hpp>
#include <weft/ops/softmax.hpp>
#include <weft/ops/sort.hpp>
#include <weft/ops/unary.hpp>

namespace weft::onnx::detail {
namespace {

using List = std::vector<std::int64_t>;

// Of the axes that go, in the operand's layout; and the layout of the result, if it is one: without the axes that go,
// what is left stands in one of the two orders.
struct Reduced {
  Layout from, to;
  List axes;
};
std::optional<Layout> layout_left(const List& gone, bool keepdims, int rank, Layout from) {
  if (keepdims || from == Layout::last) return from;
  List left;  // the axes of ours, in the order in which they are left
  for (const std::int64_t axis : order_of(rank, from))
    if (std::find(gone.begin(), gone.end(), axis) == gone.end()) left.push_back(axis);
  if (std::is_sorted(left.begin(), left.end())) return Layout::last;
  List sorted = left;
  std::sort(sorted.begin(), sorted.end());
  const Axes order = order_of(static_cast<int>(left.size()), Layout::first);
  for (std::size_t i = 0; i < left.size(); ++i)
    if (sorted[static_cast<std::size_t>(order[static_cast<int>(i)])] != left[i]) return {};
  return Layout::first;
}
Reduced reduced(Writer& w, const TracedOp& op) {
  const int rank = w.rank(op.in(0));
  const List& gone = op.list("axes");
  const Layout liked = w.layout_for(op.inputs, rank);
  const std::optional<Layout> left = layout_left(gone, op.whole("keepdims") != 0, rank, liked);
  Reduced result{left ? liked : Layout::last, left.value_or(Layout::last), {}};
  for (const std::int64_t axis : gone) result.axes.push_back(axis_in(result.from, static_cast<int>(axis), rank));
  return result;
}

// u8 adds up in i64.
std::string summand(Writer& w, int v, Layout layout) {
  const std::string x = w.get(v, layout);
  return w.dtype(v) == u8 ? w.cast(x, i64) : x;
}

void write_reduction(Writer& w, const TracedOp& op, const char* type) {
  const Reduced r = reduced(w, op);
  Names in{op.name == "sum" || op.name == "prod" ? summand(w, op.in(0), r.from) : w.get(op.in(0), r.from)};
  Attributes attributes{{"keepdims", op.whole("keepdims")}};
  if (r.axes.empty()) return w.give(op.out(), w.node("Identity", in), r.from);
  if (op.name == "sum")
    in.push_back(w.wholes(r.axes));
  else
    attributes.push_back({"axes", r.axes});
  w.give(op.out(), w.node(type, in, attributes), r.to);
}

// Which axes a node's are in weft's order, and how it is asked.
struct Over {
  std::optional<List> axes;
  bool keepdims, nothing;
};
Over over_of(NodeReader& node) {
  node.needs(1, 2);
  Over over{node.list_at(1, "axes"), node.whole("keepdims", 1) != 0, false};
  over.nothing = node.whole("noop_with_empty_axes", 0) != 0 && (!over.axes || over.axes->empty());
  return over;
}

// f(x, axes, keepdims) in the layout that x has, if the result has one.
template <class F>
void run_reduction(Call& call, const Over& over, F f) {
  const int rank = call.rank(0);
  if (over.nothing) return call.give(call.any(0), 0, call.layout_of(0));
  List axes;  // the file's
  if (over.axes && !over.axes->empty())
    for (const std::int64_t axis : *over.axes) axes.push_back(weft::detail::checked_axis("reduction", axis, rank));
  else
    for (int i = 0; i < rank; ++i) axes.push_back(i);
  if (axes.empty()) return call.give(f(call.in(0), Axes(axes), over.keepdims));
  List ours;
  for (const std::int64_t axis : axes)
    ours.push_back(call.is_image(0) ? order_of(rank, Layout::first)[static_cast<int>(axis)] : axis);
  const std::optional<Layout> left = layout_left(ours, over.keepdims, rank, call.layout_of(0));
  if (!left) return call.give(f(call.in(0), Axes(axes), over.keepdims));
  call.give(f(call.any(0), Axes(ours), over.keepdims), 0, *left);
}

void add_reduction(Operators& all, const char* weft, const char* onnx, Tensor (*f)(const Tensor&, const Axes&, bool)) {
  if (weft != nullptr)
    all.write[weft] = {[=](Writer& w, const TracedOp& op) { write_reduction(w, op, onnx); }, WriteOp::any};
  all.read[onnx] = {[=](NodeReader& node) -> Run {
                      const Over over = over_of(node);
                      return [=](Call& call) { run_reduction(call, over, f); };
                    },
                    ReadOp::any};
}

// any and all: the largest or smallest of 0 and 1.
void add_question(Operators& all, const char* name, const char* type, Tensor (*f)(const Tensor&, const Axes&, bool)) {
  all.write[name] = {[=](Writer& w, const TracedOp& op) {
                       const Reduced r = reduced(w, op);
                       const bool keepdims = op.whole("keepdims") != 0, mask = w.is_mask(op.in(0));
                       const std::string x = mask ? w.get_mask(op.in(0), r.from) : w.get(op.in(0), r.from);
                       const auto body = [&](Nodes& n, const Names& in) {
                         const std::string truth = mask ? in[0] : n.cast(in[0], u8, true);
                         Attributes attributes{{"keepdims", std::int64_t{keepdims}}};
                         if (!r.axes.empty()) attributes.push_back({"axes", r.axes});
                         const std::string whole = n.cast(truth, i64);
                         return Names{n.cast(r.axes.empty() ? whole : n(type, {whole}, attributes), u8, true)};
                       };
                       const Attributes fields{{"axes", r.axes}, {"keepdims", std::int64_t{keepdims}}};
                       w.give(op.out(), w.function(name, {x}, fields, 1, body)[0], r.to, true);
                     },
                     WriteOp::any};
  all.functions[name] = {[=](NodeReader& node) -> Run {
                           node.needs(1, 1);
                           const Over over{node.list("axes").value_or(List()), node.whole("keepdims") != 0, false};
                           return [=](Call& call) {
                             // No axes: each value by itself.
                             if (over.axes->empty())
                               return call.give(not_equal(call.any(0), 0.0), 0, call.layout_of(0));
                             run_reduction(call, over, f);
                           };
                         },
                         ReadOp::any};
}

void add_position(Operators& all, const char* weft, const char* onnx, Tensor (*f)(const Tensor&, int, bool)) {
  all.write[weft] = {
      [=](Writer& w, const TracedOp& op) {
        const Reduced r = reduced(w, op);
        w.give(op.out(),
               w.node(onnx, {w.get(op.in(0), r.from)}, {{"axis", r.axes.at(0)}, {"keepdims", op.whole("keepdims")}}),
               r.to);
      },
      WriteOp::any};
  all.read[onnx] = {[=](NodeReader& node) -> Run {
                      node.needs(1, 1);
                      const std::int64_t axis = node.whole("axis", 0);
                      const bool keepdims = node.whole("keepdims", 1) != 0;
                      if (node.whole("select_last_index", 0) != 0) node.refuse("it selects the last index");
                      return [=](Call& call) {
                        run_reduction(call, {List{axis}, keepdims, false},
                                      [=](const Tensor& x, const Axes& axes, bool keep) {
                                        return f(x, static_cast<int>(axes[0]), keep);
                                      });
                      };
                    },
                    ReadOp::any};
}

// Along one axis, with as many values as before: in the layout of the operand.
template <class F>
void give_along(Call& call, std::int64_t axis, F f) {
  const int rank = call.rank(0), at = weft::detail::checked_axis("axis", axis, rank);
  const bool image = call.is_image(0);
  call.give(f(call.any(0), image ? static_cast<int>(order_of(rank, Layout::first)[at]) : at), 0, call.layout_of(0));
}

void add_softmax(Operators& all, const char* weft, const char* onnx, Tensor (*f)(const Tensor&, int)) {
  all.write[weft] = {[=](Writer& w, const TracedOp& op) {
                       const int rank = w.rank(op.in(0));
                       const Layout layout = w.layout_for(op.inputs, rank);
                       const int axis = axis_in(layout, static_cast<int>(op.whole("axis")), rank);
                       w.give(op.out(), w.node(onnx, {w.get(op.in(0), layout)}, {{"axis", axis}}), layout);
                     },
                     WriteOp::any};
  all.read[onnx] = {[=](NodeReader& node) -> Run {
                      node.needs(1, 1);
                      const std::int64_t axis = node.whole("axis", node.version < 13 ? 1 : -1);
                      const bool flat = node.version < 13;  // all axes from this one on are one
                      return [=](Call& call) {
                        if (flat && weft::detail::checked_axis("softmax", axis, call.rank(0)) != call.rank(0) - 1)
                          fail("an axis before the last is of another meaning before opset 13");
                        give_along(call, axis, f);
                      };
                    },
                    ReadOp::any};
}

void add_scans(Operators& all) {
  all.write["cumsum"] = {[](Writer& w, const TracedOp& op) {
    const std::string axis = w.constant(scalar(static_cast<double>(op.whole("axis")), i64));
    w.give(op.out(),
           w.node("CumSum", {summand(w, op.in(0), Layout::last), axis}, {{"reverse", op.whole("backwards")}}));
  }};
  all.read["CumSum"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const bool backwards = node.whole("reverse", 0) != 0;
    if (node.whole("exclusive", 0) != 0) node.refuse("it is exclusive");
    return [=](Call& call) {
      const int axis = static_cast<int>(call.in(1).item());
      const Tensor x = call.in(0);
      call.give(backwards ? flip(cumsum(flip(x, axis), axis), axis) : cumsum(x, axis));
    };
  }};
  all.write["cumprod"] = {[](Writer& w, const TracedOp& op) {
    const int rank = w.rank(op.in(0)), axis = static_cast<int>(op.whole("axis"));
    const std::int64_t n = w.shape(op.in(0))[axis];
    if (w.dims(op.in(0))[static_cast<std::size_t>(axis)].per_batch != 0) w.refuse("it runs along the batch");
    Shape shape{n, n};  // which values go into which product
    while (shape.rank() < rank - axis + 1) shape.append(1);
    const Tensor before = weft::reshape(greater_equal(arange(n, i64), weft::reshape(arange(n, i64), {n, 1})), {n, n});
    const Tensor mask = weft::reshape(transpose(before), shape);
    const DType dtype = w.dtype(op.out());
    const auto body = [=](Nodes& nodes, const Names& in) {
      const std::string wide = nodes("Unsqueeze", {in[0], nodes.wholes({axis})});
      const std::string factors = nodes("Where", {nodes.constant(mask, true), wide, nodes.number(1, dtype)});
      return Names{nodes("ReduceProd", {factors}, {{"axes", List{axis + 1}}, {"keepdims", 0}})};
    };
    w.give(op.out(), w.function(op.name, {summand(w, op.in(0), Layout::last)}, fields_of(op), 1, body)[0]);
  }};
  all.functions["cumprod"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    const int axis = static_cast<int>(node.whole("axis"));
    return [=](Call& call) { call.give(cumprod(call.in(0), axis)); };
  }};
}

// {values, positions}, sorted, of which weft's ops take the positions.
std::string positions(Writer& w, const TracedOp& op, const Dim& count, bool largest) {
  return w.add("TopK", {w.get(op.in(0)), w.list({count})},
               {{"axis", op.whole("axis")}, {"largest", std::int64_t{largest}}, {"sorted", 1}}, 2)[1];
}

void add_order(Operators& all) {
  all.write["argsort"] = {[](Writer& w, const TracedOp& op) {
    const auto axis = static_cast<std::size_t>(op.whole("axis"));
    w.give(op.out(), positions(w, op, w.dims(op.in(0))[axis], op.whole("descending") != 0));
  }};
  all.write["topk"] = {[](Writer& w, const TracedOp& op) {
    w.give(op.out(), positions(w, op, {op.whole("k"), 0}, op.whole("largest") != 0));
  }};
  all.read["TopK"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2, 2);
    const std::int64_t axis = node.whole("axis", -1);
    const bool largest = node.whole("largest", 1) != 0;
    (void)node.whole("sorted", 1);
    return [=](Call& call) {
      const List count = call.list(1);
      if (count.size() != 1) fail("got ", count.size(), " numbers as k, needs one");
      const Tensor& x = call.in(0);
      const Ordered found = count[0] == x.size(static_cast<int>(axis))
                                ? sort(x, static_cast<int>(axis), largest)
                                : topk(x, count[0], static_cast<int>(axis), largest);
      call.give(found.values, 0);
      call.give(found.indices, 1);
    };
  }};
  // Positions of the values of some ranks: those of the smallest, without the first of them.
  all.write["ranked"] = {[](Writer& w, const TracedOp& op) {
    const std::int64_t axis = op.whole("axis"), rank = op.whole("rank"), count = op.whole("count");
    const auto body = [=](Nodes& n, const Names& in) {
      const std::string least =
          n.add("TopK", {in[0], n.wholes({rank + count})}, {{"axis", axis}, {"largest", 0}, {"sorted", 1}}, 2)[1];
      return Names{n("Slice", {least, n.wholes({rank}), n.wholes({rank + count}), n.wholes({axis})})};
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0))}, fields_of(op), 1, body)[0]);
  }};
  all.functions["ranked"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    const int axis = static_cast<int>(node.whole("axis"));
    const std::int64_t rank = node.whole("rank"), count = node.whole("count");
    return [=](Call& call) { call.give(slice(argsort(call.in(0), axis), axis, rank, rank + count)); };
  }};
}

}  // namespace

void add_reductions(Operators& all) {
  add_reduction(all, "sum", "ReduceSum", &sum);
  add_reduction(all, "mean", "ReduceMean", &mean);
  add_reduction(all, "prod", "ReduceProd", &prod);
  add_reduction(all, "max", "ReduceMax", &max);
  add_reduction(all, "min", "ReduceMin", &min);
  add_reduction(all, "logsumexp", "ReduceLogSumExp", &logsumexp);
  add_reduction(all, "sum_of_squares", "ReduceSumSquare",
                [](const Tensor& x, const Axes& axes, bool keepdims) { return sum(square(x), axes, keepdims); });
  add_reduction(all, nullptr, "ReduceL1",
                [](const Tensor& x, const Axes& axes, bool keepdims) { return norm(x, axes, keepdims, 1); });
  add_reduction(all, nullptr, "ReduceL2",
                [](const Tensor& x, const Axes& axes, bool keepdims) { return norm(x, axes, keepdims, 2); });
  add_question(all, "any", "ReduceMax", &any);
  add_question(all, "all", "ReduceMin", &weft::all);
  add_position(all, "argmax", "ArgMax", &argmax);
  add_position(all, "argmin", "ArgMin", &argmin);
  add_softmax(all, "softmax", "Softmax", &softmax);
  add_softmax(all, "log_softmax", "LogSoftmax", &log_softmax);
  add_scans(all);
  add_order(all);
}

}  // namespace weft::onnx::detail

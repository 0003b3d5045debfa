// Choosing by index and by mask.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/mask.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {
namespace {

// Positions that may count from the end, as ONNX has them, as weft has them.
Tensor counted(const Tensor& index, std::int64_t size) {
  Tensor whole = index.to(i64);
  for (const std::int64_t i : whole.data<std::int64_t>())
    if (i < 0) return where(less(whole, 0.0), whole + static_cast<double>(size), whole);
  return whole;
}

void add_gather(Operators& all) {
  all.write["index_select"] = {[](Writer& w, const TracedOp& op) {
    w.give(op.out(), w.node("Gather", {w.get(op.in(0)), w.get(op.in(1))}, {{"axis", op.whole("axis")}}));
  }};
  all.read["Gather"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const std::int64_t named = node.whole("axis", 0);
    return [=](Call& call) {
      const Tensor& a = call.in(0);
      const int axis = weft::detail::checked_axis("Gather", named, a.rank());
      const Tensor index = counted(call.in(1), a.size(axis));
      Shape shape = a.shape();
      shape.erase(axis);
      for (int i = index.rank() - 1; i >= 0; --i) shape.insert(axis, index.shape()[i]);
      call.give(reshape(index_select(a, axis, flatten(index)), shape));
    };
  }};
  all.write["take_along"] = {[](Writer& w, const TracedOp& op) {
    w.give(op.out(), w.node("GatherElements", {w.get(op.in(0)), w.get(op.in(1))}, {{"axis", op.whole("axis")}}));
  }};
  all.read["GatherElements"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const std::int64_t axis = node.whole("axis", 0);
    return [=](Call& call) {
      const Tensor& a = call.in(0);
      call.give(gather(a, static_cast<int>(axis), counted(call.in(1), a.size(static_cast<int>(axis)))));
    };
  }};
  all.write["add_along"] = {[](Writer& w, const TracedOp& op) {
                              const DType dtype = w.dtype(op.out());
                              const std::string onto = op.in(2) >= 0 ? w.get(op.in(2))
                                                                     : w("ConstantOfShape", {w.list(w.dims(op.out()))},
                                                                         {{"value", zeros({1}, dtype)}});
                              w.give(op.out(), w.node("ScatterElements", {onto, w.get(op.in(1)), w.get(op.in(0))},
                                                      {{"axis", op.whole("axis")}, {"reduction", "add"}}));
                            },
                            WriteOp::last,
                            {"size"}};
  all.read["ScatterElements"] = {[](NodeReader& node) -> Run {
    node.needs(3, 3);
    const std::int64_t axis = node.whole("axis", 0);
    const std::string reduction = node.text("reduction", "none");
    if (reduction != "none" && reduction != "add") node.refuse("its reduction is " + reduction);
    const bool adds = reduction == "add";
    return [=](Call& call) {
      const Tensor &a = call.in(0), &source = call.in(2);
      const int along = static_cast<int>(axis);
      const Tensor index = counted(call.in(1), a.size(along));
      if (adds) return call.give(scatter_add(a, along, index, source));
      const Tensor hits = scatter_add(zeros(a.shape(), i64), along, index, ones(index.shape(), i64));
      call.give(where(not_equal(hits, 0.0), scatter_add(zeros_like(a), along, index, source), a));
    };
  }};
}

void add_labels(Operators& all) {
  all.write["take_labelled"] = {[](Writer& w, const TracedOp& op) {
    const std::int64_t ignored = op.whole("ignored");
    const DType dtype = w.dtype(op.out());
    const auto body = [=](Nodes& n, const Names& in) {
      const std::string none = n("Equal", {in[1], n.constant(scalar(static_cast<double>(ignored), i64))});
      const std::string safe = n("Where", {none, n.constant(scalar(0, i64)), in[1]});
      const std::string last = n.wholes({-1});
      const std::string taken = n("GatherElements", {in[0], n("Unsqueeze", {safe, last})}, {{"axis", -1}});
      return Names{n("Where", {none, n.number(0, dtype), n("Squeeze", {taken, last})})};
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0)), w.get(op.in(1))}, fields_of(op), 1, body)[0]);
  }};
  all.functions["take_labelled"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const std::int64_t ignored = node.whole("ignored");
    return [=](Call& call) { call.give(take_labelled(call.in(0), call.in(1), ignored)); };
  }};
  all.write["one_hot"] = {[](Writer& w, const TracedOp& op) {
    const std::string depth = w.constant(scalar(static_cast<double>(op.whole("classes")), i64));
    w.give(op.out(), w.node("OneHot", {w.get(op.in(0)), depth, w.wholes({0, 1})}));
  }};
  all.read["OneHot"] = {[](NodeReader& node) -> Run {
    node.needs(3, 3);
    const std::int64_t axis = node.whole("axis", -1);
    return [=](Call& call) {
      const Tensor& index = call.in(0);
      const auto depth = static_cast<std::int64_t>(call.in(1).item());
      if (axis != -1 && axis != index.rank()) fail("got axis ", axis, ", needs the last");
      const Tensor& values = call.in(2);
      if (values.shape() != Shape{2}) fail("got values ", values.shape(), ", needs two");
      std::vector<std::int64_t> sizes(index.shape().begin(), index.shape().end());
      sizes.push_back(depth);
      (void)checked_shape("OneHot", sizes);
      const Tensor hot = one_hot(counted(index, depth), depth);
      if (values.dtype() == i64 && values.at({0}) == 0 && values.at({1}) == 1) return call.give(hot);
      call.give(where(equal(hot, 1.0), slice(values, 0, 1, 2), slice(values, 0, 0, 1)));
    };
  }};
}

}  // namespace

void add_indices(Operators& all) {
  add_gather(all);
  add_labels(all);
  all.write["masked_select"] = {[](Writer& w, const TracedOp& op) {
    const auto body = [](Nodes& n, const Names& in) {
      return Names{n("Compress", {in[0], n("Reshape", {in[1], n.wholes({-1})})})};
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0)), w.get_mask(op.in(1))}, {}, 1, body)[0]);
  }};
  all.functions["masked_select"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    return [](Call& call) { call.give(masked_select(call.in(0), call.in(1))); };
  }};
  all.read["Compress"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    if (node.has_attribute("axis")) node.refuse("it goes along an axis");
    return [](Call& call) { call.give(masked_select(flatten(call.in(0)), call.in(1))); };
  }};
  all.write["nonzero"] = {
      [](Writer& w, const TracedOp& op) { w.give(op.out(), w.node("Transpose", {w("NonZero", {w.get(op.in(0))})})); }};
  all.read["NonZero"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    return [](Call& call) {
      const Tensor found = nonzero(call.in(0));
      call.give(found.rank() == 2 ? transpose(found) : found);
    };
  }};
}

}  // namespace weft::onnx::detail

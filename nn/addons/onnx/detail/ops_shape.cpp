// Shape and order of elements, and what is made from sizes.
#include <algorithm>
#include <limits>
#include <numeric>

#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/index.hpp>
#include <weft/ops/mask.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::onnx::detail {
namespace {

using List = std::vector<std::int64_t>;
constexpr std::int64_t endless = std::numeric_limits<std::int64_t>::max();

List as_list(const Axes& axes) { return {axes.begin(), axes.end()}; }

// A value of any dtype, as bool if it is a mask: ops that move elements go on with what there is.
std::string as_it_is(Writer& w, int v, Layout layout = Layout::last) {
  return w.is_mask(v) ? w.get_mask(v, layout) : w.get(v, layout);
}

// Which axis of the transposition takes which, between two layouts.
Axes order_between(const Axes& order, Layout from, Layout to) {
  const Axes of = order_of(order.count(), to), back = inverse(order_of(order.count(), from));
  Axes result;
  for (const std::int64_t axis : of) result.append(back[static_cast<int>(order[static_cast<int>(axis)])]);
  return result;
}

void write_permute(Writer& w, const TracedOp& op) {
  const int v = op.in(0);
  const Axes order(op.list("order"));
  for (const Layout from : {Layout::last, Layout::first})
    for (const Layout to : {Layout::last, Layout::first})
      if (!w.is_constant(v) && w.has(v, from) && in_order(order_between(order, from, to)))
        return w.give(op.out(), as_it_is(w, v, from), to, w.is_mask(v));
  const Layout from = w.has(v, Layout::last) ? Layout::last : Layout::first;
  const Axes perm = order_between(order, from, Layout::last);
  w.give(op.out(), w.node("Transpose", {as_it_is(w, v, from)}, {{"perm", as_list(perm)}}), Layout::last, w.is_mask(v));
}

Run read_transpose(NodeReader& node) {
  node.needs(1, 1);
  const std::optional<List> perm = node.list("perm");
  return [=](Call& call) {
    const int rank = call.rank(0);
    Axes order = perm ? Axes(*perm) : Axes();
    if (!perm)
      for (int i = rank - 1; i >= 0; --i) order.append(i);
    if (order.count() != rank) fail("got perm ", order, " for ", rank, " axes, needs each once");
    (void)weft::detail::checked_axes("perm", order, rank);
    // Where channels last are to be channels last in the file, nothing moves.
    const Axes first = order_of(rank, Layout::first);
    if (call.is_image(0) && in_order(ordered(first, order))) return call.give(call.image(0));
    if (!call.is_image(0) && order == first) return call.give_image(call.in(0));
    call.give(permute(call.in(0), order));
  };
}

void add_reshapes(Operators& all) {
  all.write["reshape"] = {[](Writer& w, const TracedOp& op) {
                            const Dims& to = w.dims(op.out());
                            Attributes attributes;
                            if (std::find(to.begin(), to.end(), Dim{0, 0}) != to.end())
                              attributes.push_back({"allowzero", 1});
                            const std::string list = attributes.empty() ? w.list_for_reshape(to) : w.list(to);
                            w.give(op.out(), w.node("Reshape", {as_it_is(w, op.in(0)), list}, attributes), Layout::last,
                                   w.is_mask(op.in(0)));
                          },
                          WriteOp::last,
                          {"shape"}};
  all.read["Reshape"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const bool zeros = node.whole("allowzero", 0) != 0;
    return [=](Call& call) {
      List sizes = call.list(1);
      const Tensor& x = call.in(0);
      for (std::size_t i = 0; i < sizes.size() && !zeros; ++i)
        if (sizes[i] == 0) sizes[i] = x.size(static_cast<int>(i));
      call.give(reshape(x, Shape(sizes)));
    };
  }};
  all.read["Flatten"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    const std::int64_t axis = node.whole("axis", 1);
    return [=](Call& call) {
      const Tensor& x = call.in(0);
      const std::int64_t at = axis < 0 ? axis + x.rank() : axis;
      if (at < 0 || at > x.rank()) fail("got axis ", axis, " for ", x.shape());
      std::int64_t rows = 1;
      for (int i = 0; i < at; ++i) rows *= x.shape()[i];
      call.give(reshape(x, {rows, rows == 0 ? x.size() : x.size() / rows}));
    };
  }};
  all.read["Squeeze"] = {[](NodeReader& node) -> Run {
    node.needs(1, 2);
    const std::optional<List> axes = node.list_at(1, "axes");
    return [=](Call& call) {
      const Tensor& x = call.in(0);
      const auto gone = weft::detail::checked_axes("Squeeze", axes ? Axes(*axes) : Axes(), x.rank());
      Shape left;
      for (int i = 0; i < x.rank(); ++i) {
        const bool goes = axes && !axes->empty() ? gone.has[i] : x.shape()[i] == 1;
        if (goes && x.shape()[i] != 1) fail("got axis ", i, " of ", x.shape(), ", needs one of size 1");
        if (!goes) left.append(x.shape()[i]);
      }
      call.give(reshape(x, left));
    };
  }};
  all.read["Unsqueeze"] = {[](NodeReader& node) -> Run {
    node.needs(1, 2);
    const std::optional<List> axes = node.list_at(1, "axes");
    if (!axes || axes->empty() || axes->size() > max_rank) node.refuse("it names no axes, or too many");
    return [=](Call& call) {
      const Tensor& x = call.in(0);
      const int rank = x.rank() + static_cast<int>(axes->size());
      const auto added = weft::detail::checked_axes("Unsqueeze", Axes(*axes), rank);
      Shape shape;
      for (int i = 0, from = 0; i < rank; ++i) shape.append(added.has[i] ? 1 : x.shape()[from++]);
      call.give(reshape(x, shape));
    };
  }};
}

void add_slices(Operators& all) {
  all.write["slice"] = {[](Writer& w, const TracedOp& op) {
                          const int rank = w.rank(op.in(0)), axis = static_cast<int>(op.whole("axis"));
                          const std::int64_t start = op.whole("start"), step = op.whole("step");
                          std::int64_t stop = start + (op.whole("count") - 1) * step + 1;
                          if (!op.changed.empty()) {
                            if (stop + step <= w.shape(op.in(0))[axis])
                              w.refuse("it ends inside of the batch: symbolic_batch = false writes it for this size");
                            stop = endless;
                          }
                          const Layout layout = w.layout_for(op.inputs, rank);
                          const std::string x = as_it_is(w, op.in(0), layout);
                          w.give(op.out(),
                                 w.node("Slice", {x, w.wholes({start}), w.wholes({stop}),
                                                  w.wholes({axis_in(layout, axis, rank)}), w.wholes({step})}),
                                 layout, w.is_mask(op.in(0)));
                        },
                        WriteOp::any,
                        {"count"}};
  all.write["flip"] = {[](Writer& w, const TracedOp& op) {
                         const int rank = w.rank(op.in(0));
                         const Layout layout = w.layout_for(op.inputs, rank);
                         List axes;
                         for (const std::int64_t axis : op.list("axes"))
                           axes.push_back(axis_in(layout, static_cast<int>(axis), rank));
                         const List last(axes.size(), -1), before(axes.size(), -endless);
                         w.give(op.out(),
                                w.node("Slice", {as_it_is(w, op.in(0), layout), w.wholes(last), w.wholes(before),
                                                 w.wholes(axes), w.wholes(last)}),
                                layout, w.is_mask(op.in(0)));
                       },
                       WriteOp::any};
  all.read["Slice"] = {
      [](NodeReader& node) -> Run {
        node.needs(3, 5);
        return [](Call& call) {
          const int rank = call.rank(0);
          const Layout layout = call.layout_of(0);
          const List starts = call.list(1), stops = call.list(2);
          List axes(starts.size()), steps(starts.size(), 1);
          std::iota(axes.begin(), axes.end(), 0);
          if (call.has(3)) axes = call.list(3);
          if (call.has(4)) steps = call.list(4);
          if (stops.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
            fail("got lists of different lengths");
          Tensor x = call.any(0);
          Axes reversed;
          for (std::size_t i = 0; i < starts.size(); ++i) {
            const int named = weft::detail::checked_axis("Slice", axes[i], rank);
            const int axis = static_cast<int>(order_of(rank, layout)[named]);
            const std::int64_t size = x.size(axis), step = steps[i];
            if (step == 0 || step < -endless) fail("got a step of ", step);
            if (step > 0) {
              const std::int64_t from = std::max(starts[i], -size), to = std::max(stops[i], -size);
              if (from != 0 || to < size || step != 1) x = slice(x, axis, from, to, step);
              continue;
            }
            const std::int64_t start = starts[i] < 0 ? starts[i] + size : std::min(starts[i], size - 1);
            std::int64_t stop = stops[i] < -size ? -1 : stops[i] < 0 ? stops[i] + size : stops[i];
            stop = std::min(stop, start);
            if (start < 0 || start == stop) {
              x = slice(x, axis, 0, 0);
            } else {
              reversed.append(axis);
              if (start != size - 1 || stop != -1 || step != -1) {
                const Tensor part = slice(x, axis, stop + 1, start + 1);
                x = slice(flip(part, axis), axis, 0, endless, -step);
                reversed.erase(reversed.count() - 1);
              }
            }
          }
          if (reversed.count() > 0) x = flip(x, reversed);
          call.give(x, 0, layout);
        };
      },
      ReadOp::any};
  all.write["roll"] = {[](Writer& w, const TracedOp& op) {
    const std::int64_t axis = op.whole("axis"), shift = op.whole("shift");
    if (w.dims(op.in(0))[static_cast<std::size_t>(axis)].per_batch != 0 && shift != 0)
      w.refuse("it goes along the batch: symbolic_batch = false writes it for this size");
    const auto body = [=](Nodes& n, const Names& in) {
      const std::string at = n.wholes({-shift}), axes = n.wholes({axis});
      const std::string begin = n("Slice", {in[0], n.wholes({0}), at, axes});
      const std::string end = n("Slice", {in[0], at, n.wholes({endless}), axes});
      return Names{n("Concat", {end, begin}, {{"axis", axis}})};
    };
    if (shift == 0) return w.alias(op.out(), op.in(0));
    const bool mask = w.is_mask(op.in(0));
    w.give(op.out(), w.function(op.name, {as_it_is(w, op.in(0))}, fields_of(op), 1, body)[0], Layout::last, mask);
  }};
  all.functions["roll"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    const std::int64_t shift = node.whole("shift"), axis = node.whole("axis");
    return [=](Call& call) { call.give(roll(call.in(0), shift, static_cast<int>(axis))); };
  }};
}

void add_joins(Operators& all) {
  all.write["concat"] = {[](Writer& w, const TracedOp& op) {
                           const int rank = w.rank(op.out());
                           const Layout layout = w.layout_for(op.inputs, rank);
                           bool masks = true;
                           for (const int v : op.inputs) masks = masks && w.is_mask(v);
                           Names parts;
                           for (const int v : op.inputs)
                             parts.push_back(masks ? w.get_mask(v, layout) : w.get(v, layout));
                           const int axis = axis_in(layout, static_cast<int>(op.whole("axis")), rank);
                           w.give(op.out(), w.node("Concat", parts, {{"axis", axis}}), layout, masks);
                         },
                         WriteOp::any};
  all.read["Concat"] = {[](NodeReader& node) -> Run {
                          node.needs(1, node.inputs());
                          const std::int64_t axis = node.whole("axis");
                          return [=](Call& call) {
                            Layout layout{};
                            const Tensors parts = call.operands(layout);
                            const int rank = parts[0].rank(), named = weft::detail::checked_axis("Concat", axis, rank);
                            call.give(concat(parts, static_cast<int>(order_of(rank, layout)[named])), 0, layout);
                          };
                        },
                        ReadOp::any};
  all.write["split"] = {[](Writer& w, const TracedOp& op) {
                          const int rank = w.rank(op.in(0));
                          const Layout layout = w.layout_for(op.inputs, rank);
                          const int axis = axis_in(layout, static_cast<int>(op.whole("axis")), rank);
                          const Names parts =
                              w.add("Split", {as_it_is(w, op.in(0), layout), w.wholes(op.list("sizes"))},
                                    {{"axis", axis}}, static_cast<int>(op.outputs.size()));
                          for (std::size_t i = 0; i < parts.size(); ++i)
                            w.give(op.outputs[i], parts[i], layout, w.is_mask(op.in(0)));
                        },
                        WriteOp::any};
  all.read["Split"] = {
      [](NodeReader& node) -> Run {
        node.needs(1, 2, node.outputs());
        const std::optional<List> sizes = node.list_at(1, "split");
        const std::int64_t axis = node.whole("axis", 0), count = static_cast<std::int64_t>(node.outputs());
        if (sizes && static_cast<std::int64_t>(sizes->size()) != count)
          node.refuse("it has another number of sizes than of outputs");
        return [=](Call& call) {
          const int rank = call.rank(0);
          const Layout layout = call.layout_of(0);
          const int named = weft::detail::checked_axis("Split", axis, rank);
          const int along = static_cast<int>(order_of(rank, layout)[named]);
          const Tensor& x = call.any(0);
          std::int64_t start = 0;
          for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t size = sizes ? (*sizes)[static_cast<std::size_t>(i)] : x.size(along) / count;
            if (size < 0 || size > x.size(along) - start || (!sizes && x.size(along) % count != 0))
              fail("got ", x.shape(), " to split along axis ", named, ", needs sizes that add up to it");
            call.give(slice(x, along, start, start + size), static_cast<std::size_t>(i), layout);
            start += size;
          }
          if (start != x.size(along)) fail("got sizes that make ", start, " of ", x.size(along));
        };
      },
      ReadOp::any};
}

void add_pad(Operators& all) {
  all.write["pad"] = {[](Writer& w, const TracedOp& op) {
                        const int rank = w.rank(op.in(0));
                        const Layout layout = w.layout_for(op.inputs, rank);
                        const List& amounts = op.list("amounts");
                        List before, after;
                        for (const std::int64_t axis : order_of(rank, layout)) {
                          before.push_back(amounts[static_cast<std::size_t>(2 * axis)]);
                          after.push_back(amounts[static_cast<std::size_t>(2 * axis + 1)]);
                        }
                        before.insert(before.end(), after.begin(), after.end());
                        w.give(op.out(),
                               w.node("Pad", {w.get(op.in(0), layout), w.wholes(before),
                                              w.number(op.real("value"), w.dtype(op.in(0)))}),
                               layout);
                      },
                      WriteOp::any};
  all.read["Pad"] = {
      [](NodeReader& node) -> Run {
        node.needs(2, 3);
        if (node.text("mode", "constant") != "constant") node.refuse("its mode is another than constant");
        return [](Call& call) {
          const int rank = call.rank(0);
          const Layout layout = call.layout_of(0);
          const List pads = call.list(1);
          if (static_cast<int>(pads.size()) != 2 * rank) fail("got ", pads.size(), " amounts for ", rank, " axes");
          std::vector<std::pair<std::int64_t, std::int64_t>> amounts(static_cast<std::size_t>(rank));
          List sizes(static_cast<std::size_t>(rank));
          for (int i = 0; i < rank; ++i) {
            const auto axis = static_cast<std::size_t>(order_of(rank, layout)[i]), k = static_cast<std::size_t>(i);
            amounts[axis] = {pads[k], pads[k + static_cast<std::size_t>(rank)]};
            for (const std::int64_t amount : {amounts[axis].first, amounts[axis].second})
              if (amount < 0 || amount > most_elements) fail("got an amount of ", amount, ", needs 0 or more");
            sizes[axis] = call.any(0).shape()[static_cast<int>(axis)] + amounts[axis].first + amounts[axis].second;
          }
          (void)checked_shape("Pad", sizes);
          const Tensor value = call.in_or_none(2);
          call.give(pad(call.any(0), amounts, value.defined() ? value.item() : 0), 0, layout);
        };
      },
      ReadOp::any};
}

void add_made(Operators& all) {
  all.write["broadcast_to"] = {
      [](Writer& w, const TracedOp& op) {
        const std::string sizes = w.list(w.dims(op.out()));
        // onnxruntime's Expand does not make an axis of 1 empty.
        if (w.shape(op.out()).size() == 0)
          return w.give(op.out(), w.node("ConstantOfShape", {sizes}, {{"value", zeros({1}, w.dtype(op.out()))}}));
        w.give(op.out(), w.node("Expand", {as_it_is(w, op.in(0)), sizes}), Layout::last, w.is_mask(op.in(0)));
      },
      WriteOp::last,
      {"shape"}};
  all.read["Expand"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    return [](Call& call) {
      const Shape to = checked_shape("Expand", call.list(1));
      const Tensor& x = call.in(0);
      const Shape both = weft::detail::broadcast_shapes("Expand", x.shape(), to);
      call.give(broadcast_to(x, checked_shape("Expand", List(both.begin(), both.end()))));
    };
  }};
  all.read["Shape"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    const std::int64_t start = node.whole("start", 0), end = node.whole("end", endless);
    return [=](Call& call) {
      const int rank = call.rank(0);
      const Shape shape = ordered(call.any(0).shape(), order_of(rank, call.layout_of(0)));
      call.give(slice(tensor(List(shape.begin(), shape.end()), i64), 0, std::max<std::int64_t>(start, -rank), end));
    };
  }};
  all.read["Size"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    return [](Call& call) { call.give(reshape(tensor(List{call.any(0).size()}, i64), {})); };
  }};
  all.read["ConstantOfShape"] = {[](NodeReader& node) -> Run {
    node.needs(1, 1);
    const Tensor value = node.has_attribute("value") ? node.tensor("value") : zeros({1});
    if (value.size() != 1) node.refuse("its value has more than one element");
    return [=](Call& call) {
      const Shape shape = checked_shape("ConstantOfShape", call.list(0));
      call.give(broadcast_to(reshape(value, {}), shape));
    };
  }};
  all.read["Range"] = {[](NodeReader& node) -> Run {
    node.needs(3, 3);
    return [](Call& call) {
      const double start = call.in(0).item(), stop = call.in(1).item(), step = call.in(2).item();
      if (!(std::abs((stop - start) / step) <= static_cast<double>(most_elements)))
        fail("got ", start, " to ", stop, " by ", step, ", needs at most ", most_elements, " steps");
      const bool none = step > 0 ? stop <= start : stop >= start;
      call.give(none ? empty({0}, call.in(0).dtype()) : arange(start, stop, step, call.in(0).dtype()));
    };
  }};
  all.read["Constant"] = {[](NodeReader& node) -> Run {
    node.needs(0, 0);
    Tensor value;
    if (node.has_attribute("value")) value = node.tensor("value");
    if (node.has_attribute("value_float")) value = scalar(node.real("value_float"));
    if (node.has_attribute("value_int")) value = reshape(tensor(List{node.whole("value_int")}, i64), {});
    if (node.has_attribute("value_ints")) value = tensor(*node.list("value_ints"), i64);
    if (!value.defined()) node.refuse("it has no value that is known here");
    return [=](Call& call) { call.give(value); };
  }};
}

}  // namespace

void add_shapes(Operators& all) {
  add_reshapes(all);
  all.write["permute"] = {write_permute};
  all.read["Transpose"] = {read_transpose};
  add_slices(all);
  add_joins(all);
  add_pad(all);
  add_made(all);
}

}  // namespace weft::onnx::detail

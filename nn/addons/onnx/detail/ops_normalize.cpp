// Normalisation.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/activation.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/normalization.hpp>

namespace weft::onnx::detail {
namespace {

void write_batch_norm(Writer& w, const TracedOp& op) {
  if (op.whole("training") != 0) w.refuse("it is in training, where it moves its statistics");
  const int x = op.in(0);
  const auto of = [&](std::size_t i, double number) { return op.in(i) >= 0 ? w.get(op.in(i)) : w.filled(x, number); };
  std::string y = w.node("BatchNormalization", {w.get(x, Layout::first), of(1, 1), of(2, 0), of(3, 0), of(4, 1)},
                         {{"epsilon", op.real("eps")}});
  if (op.in(5) >= 0) y = w("Add", {y, w.get(op.in(5), Layout::first)});
  if (op.name != "batch_norm") y = w("Relu", {y});
  w.give(op.out(), y, Layout::first);
}

void add_batch_norm(Operators& all) {
  for (const char* name : {"batch_norm", "batch_norm_relu", "batch_norm_add_relu"})
    all.write[name] = {write_batch_norm, WriteOp::images};
  all.read["BatchNormalization"] = {[](NodeReader& node) -> Run {
                                      node.needs(5, 5);
                                      const double eps = node.real("epsilon", 1e-5);
                                      node.ignore("momentum");
                                      if (node.whole("training_mode", 0) != 0) node.refuse("it trains");
                                      return [=](Call& call) {
                                        const BatchNormStatistics by{.running_mean = call.in(3).detach(),
                                                                     .running_var = call.in(4).detach(),
                                                                     .eps = eps};
                                        call.give_image(batch_norm(call.image(0), call.in(1), call.in(2), by));
                                      };
                                    },
                                    ReadOp::images};
}

void add_layer_norm(Operators& all) {
  all.write["layer_norm"] = {[](Writer& w, const TracedOp& op) {
    Names in{w.get(op.in(0)), op.in(1) >= 0 ? w.get(op.in(1)) : w.filled(op.in(0), 1)};
    if (op.in(2) >= 0) in.push_back(w.get(op.in(2)));
    w.give(op.out(), w.node("LayerNormalization", in, {{"axis", -1}, {"epsilon", op.real("eps")}}));
  }};
  all.read["LayerNormalization"] = {[](NodeReader& node) -> Run {
    node.needs(2, 3);
    const std::int64_t axis = node.whole("axis", -1);
    const double eps = node.real("epsilon", 1e-5);
    node.ignore("stash_type");
    return [=](Call& call) {
      const Tensor& x = call.in(0);
      if (weft::detail::checked_axis("LayerNormalization", axis, x.rank()) != x.rank() - 1)
        fail("got axis ", axis, " of ", x.shape(), ", needs the last");
      call.give(layer_norm(x, call.in(1), call.in_or_none(2), eps));
    };
  }};
}

// Centred and divided by the root of the variance along some axes, in which x has been brought.
std::string normalized(Nodes& n, const std::string& x, const std::vector<std::int64_t>& axes, double eps, DType dtype) {
  const Attributes over{{"axes", axes}, {"keepdims", 1}};
  const std::string centred = n("Sub", {x, n("ReduceMean", {x}, over)});
  const std::string variance = n("ReduceMean", {n("Mul", {centred, centred})}, over);
  return n("Div", {centred, n("Sqrt", {n("Add", {variance, n.number(eps, dtype)})})});
}

void add_group_norm(Operators& all) {
  all.write["group_norm"] = {
      [](Writer& w, const TracedOp& op) {
        const int x = op.in(0), rank = w.rank(x);
        const Layout layout = w.layout_for(std::span(&x, 1), rank);
        const bool first = layout == Layout::first, weighted = op.in(1) >= 0, biased = op.in(2) >= 0;
        const std::int64_t groups = op.whole("groups"), channels = w.shape(x)[-1];
        const double eps = op.real("eps");
        const DType dtype = w.dtype(x);
        const auto body = [=](Nodes& n, const Names& in) {
          const std::vector<std::int64_t> apart = first ? std::vector<std::int64_t>{0, groups, -1}
                                                        : std::vector<std::int64_t>{0, -1, groups, channels / groups};
          const std::vector<std::int64_t> axes = first ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{1, 3};
          const std::string by_group = n("Reshape", {in[0], n.wholes(apart)});
          std::string y = n("Reshape", {normalized(n, by_group, axes, eps, dtype), n("Shape", {in[0]})});
          std::vector<std::int64_t> beside(first ? static_cast<std::size_t>(rank - 1) : 1, 1);
          beside[0] = -1;
          if (weighted) y = n("Mul", {y, n("Reshape", {in[1], n.wholes(beside)})});
          if (biased) y = n("Add", {y, n("Reshape", {in.back(), n.wholes(beside)})});
          return Names{y};
        };
        Names in{w.get(x, layout)};
        if (weighted) in.push_back(w.get(op.in(1)));
        if (biased) in.push_back(w.get(op.in(2)));
        Attributes attributes = fields_of(op);
        attributes.push_back({"channels_first", std::int64_t{first}});
        attributes.push_back({"weighted", std::int64_t{weighted}});
        w.give(op.out(), w.function(op.name, in, attributes, 1, body)[0], layout);
      },
      WriteOp::any};
  all.functions["group_norm"] = {
      [](NodeReader& node) -> Run {
        node.needs(1, 3);
        const std::int64_t groups = node.whole("groups");
        const double eps = node.real("eps");
        const bool first = node.whole("channels_first") != 0, weighted = node.whole("weighted") != 0;
        return [=](Call& call) {
          const Tensor weight = weighted ? call.in_or_none(1) : Tensor(), bias = call.in_or_none(weighted ? 2 : 1);
          if (first)
            call.give_image(group_norm(call.image(0), groups, weight, bias, eps));
          else
            call.give(group_norm(call.in(0), groups, weight, bias, eps));
        };
      },
      ReadOp::any};
  all.read["InstanceNormalization"] = {[](NodeReader& node) -> Run {
                                         node.needs(3, 3);
                                         const double eps = node.real("epsilon", 1e-5);
                                         return [=](Call& call) {
                                           const Tensor& x = call.image(0);
                                           call.give_image(group_norm(x, x.size(-1), call.in(1), call.in(2), eps));
                                         };
                                       },
                                       ReadOp::images};
}

void add_rms_norm(Operators& all) {
  all.write["rms_norm"] = {[](Writer& w, const TracedOp& op) {
    const double eps = op.real("eps");
    const DType dtype = w.dtype(op.in(0));
    const auto body = [=](Nodes& n, const Names& in) {
      const std::string square =
          n("ReduceMean", {n("Mul", {in[0], in[0]})}, {{"axes", std::vector<std::int64_t>{-1}}, {"keepdims", 1}});
      const std::string y = n("Div", {in[0], n("Sqrt", {n("Add", {square, n.number(eps, dtype)})})});
      return Names{in.size() > 1 ? n("Mul", {y, in[1]}) : y};
    };
    Names in{w.get(op.in(0))};
    if (op.in(1) >= 0) in.push_back(w.get(op.in(1)));
    w.give(op.out(), w.function(op.name, in, fields_of(op), 1, body)[0]);
  }};
  all.functions["rms_norm"] = {[](NodeReader& node) -> Run {
    node.needs(1, 2);
    const double eps = node.real("eps");
    return [=](Call& call) { call.give(rms_norm(call.in(0), call.in_or_none(1), eps)); };
  }};
}

}  // namespace

void add_normalizations(Operators& all) {
  add_batch_norm(all);
  add_layer_norm(all);
  add_group_norm(all);
  add_rms_norm(all);
}

}  // namespace weft::onnx::detail

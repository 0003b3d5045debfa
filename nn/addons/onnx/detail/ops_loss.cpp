// What losses are made of.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/loss.hpp>
#include <weft/ops/softmax.hpp>

namespace weft::onnx::detail {
namespace {

// Logarithms of at least -100.
std::string bounded_log(Nodes& n, const std::string& x, DType d) {
  return n("Max", {n("Log", {x}), n.number(-100, d)});
}

std::string huber_body(Nodes& n, const Names& in, DType d, const TracedOp& op) {
  const double delta = op.real("delta");
  const std::string size = n("Abs", {n("Sub", in)});
  const std::string near = n("Mul", {n("Mul", {size, size}), n.number(0.5, d)});
  const std::string far = n("Mul", {n("Sub", {size, n.number(0.5 * delta, d)}), n.number(delta, d)});
  return n("Where", {n("LessOrEqual", {size, n.number(delta, d)}), near, far});
}

std::string bernoulli_body(Nodes& n, const Names& in, DType d, const TracedOp&) {
  const std::string &p = in[0], &target = in[1], one = n.number(1, d);
  const std::string of_zero = n("Mul", {n("Sub", {target, one}), bounded_log(n, n("Sub", {one, p}), d)});
  return n("Sub", {of_zero, n("Mul", {target, bounded_log(n, p, d)})});
}

std::string entropy_body(Nodes& n, const Names& in, DType d, const TracedOp&) {
  const std::string &log_p = in[0], &target = in[1];
  const std::string none = n("Equal", {target, n.number(0, d)});
  const std::string log_target = n("Log", {n("Where", {none, n.number(1, d), target})});
  return n("Sub", {n("Mul", {target, log_target}), n("Mul", {target, log_p})});
}

std::string hinge_body(Nodes& n, const Names& in, DType d, const TracedOp&) {
  return n("Relu", {n("Sub", {n.number(1, d), n("Mul", {in[1], in[0]})})});
}

std::string surprise_body(Nodes& n, const Names& in, DType d, const TracedOp& op) {
  const std::string variance = n("Max", {in[2], n.number(op.real("eps"), d)});
  const std::string away = n("Sub", {in[1], in[0]});
  const std::string sum = n("Add", {n("Log", {variance}), n("Div", {n("Mul", {away, away}), variance})});
  return n("Mul", {sum, n.number(0.5, d)});
}

// Rows {rows, classes} and labels {rows}.
Names cross_entropy_body(Nodes& n, const Names& in, DType d, double smoothing, std::int64_t ignored,
                         std::int64_t classes) {
  const std::string &logits = in[0], &labels = in[1];
  const std::string is_ignored = n("Equal", {labels, n.constant(scalar(static_cast<double>(ignored), i64))});
  const std::string safe = n("Where", {is_ignored, n.constant(scalar(0, i64)), labels});
  const std::string logs = n("LogSoftmax", {logits}, {{"axis", 1}});
  const std::string axis = n.wholes({1});
  const std::string picked =
      n("Squeeze", {n("GatherElements", {logs, n("Unsqueeze", {safe, axis})}, {{"axis", 1}}), axis});
  std::string loss = n("Neg", {picked});
  if (smoothing != 0) {
    const std::string all = n("ReduceSum", {logs, axis}, {{"keepdims", 0}});
    const std::string spread = n("Mul", {all, n.number(smoothing / static_cast<double>(classes), d)});
    loss = n("Sub", {n("Mul", {loss, n.number(1 - smoothing, d)}), spread});
  }
  return {n("Where", {is_ignored, n.number(0, d), loss})};
}

}  // namespace

void add_losses(Operators& all) {
  const auto binary = [&](const char* name, auto body, Tensor (*f)(const Tensor&, const Tensor&)) {
    all.write[name] = {as_function(body), WriteOp::any};
    all.functions[name] = {reads_elementwise(2, [f](const Tensors& in) { return f(in[0], in[1]); }), ReadOp::any};
  };
  binary(
      "absolute_difference", [](Nodes& n, const Names& in, DType, const TracedOp&) { return n("Abs", {n("Sub", in)}); },
      &absolute_difference);
  binary("bernoulli_cross_entropy", bernoulli_body, &bernoulli_cross_entropy);
  binary("relative_entropy", entropy_body, &relative_entropy);
  binary(
      "relative_entropy_of_logs",
      [](Nodes& n, const Names& in, DType, const TracedOp&) {
        return n("Mul", {n("Exp", {in[1]}), n("Sub", {in[1], in[0]})});
      },
      &relative_entropy_of_logs);
  binary("hinge_margin", hinge_body, &hinge_margin);
  all.write["huber_difference"] = {as_function(huber_body), WriteOp::any};
  all.functions["huber_difference"] = {
      [](NodeReader& node) -> Run {
        node.needs(2, 2);
        const double delta = node.real("delta");
        return [=](Call& call) {
          call.elementwise([=](const Tensors& in) { return huber_difference(in[0], in[1], delta); });
        };
      },
      ReadOp::any};
  all.write["gaussian_surprise"] = {as_function(surprise_body), WriteOp::any};
  all.functions["gaussian_surprise"] = {
      [](NodeReader& node) -> Run {
        node.needs(3, 3);
        const double eps = node.real("eps");
        return [=](Call& call) {
          call.elementwise([=](const Tensors& in) { return gaussian_surprise(in[0], in[1], in[2], eps); });
        };
      },
      ReadOp::any};
  all.write["softmax_cross_entropy"] = {[](Writer& w, const TracedOp& op) {
    const double smoothing = op.real("label_smoothing");
    const std::int64_t ignored = op.whole("ignore_index"), classes = w.shape(op.in(0))[1];
    const DType dtype = w.dtype(op.in(0));
    const auto body = [=](Nodes& n, const Names& in) {
      return cross_entropy_body(n, in, dtype, smoothing, ignored, classes);
    };
    w.give(op.out(), w.function(op.name, {w.get(op.in(0)), w.get(op.in(1))}, fields_of(op), 1, body)[0]);
  }};
  all.functions["softmax_cross_entropy"] = {[](NodeReader& node) -> Run {
    node.needs(2, 2);
    const double smoothing = node.real("label_smoothing");
    const std::int64_t ignored = node.whole("ignore_index");
    return [=](Call& call) { call.give(softmax_cross_entropy(call.in(0), call.in(1), smoothing, ignored)); };
  }};
}

}  // namespace weft::onnx::detail

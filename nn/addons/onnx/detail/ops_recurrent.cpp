// The recurrences: functions that run over the steps with Scan, as weft's ops are given the products with the inputs of
// all steps and ONNX's RNN, LSTM and GRU make those themselves.
#include <weft/nn/addons/onnx/detail/elementwise.hpp>
#include <weft/ops/recurrent.hpp>

namespace weft::onnx::detail {
namespace {

// A step of a cell: the gates' sums from the inputs and from the state before, and the state.
struct State {
  std::string hidden, cell;
};
using StepBody = State (*)(Nodes& n, const std::string& x, const std::string& product, const State& before,
                           std::int64_t hidden);

Names gates(Nodes& n, const std::string& sums, std::int64_t hidden, int count) {
  return n.add("Split", {sums, n.wholes(std::vector<std::int64_t>(static_cast<std::size_t>(count), hidden))},
               {{"axis", -1}}, count);
}

State rnn_step(Nodes& n, const std::string& x, const std::string& product, const State&, std::int64_t) {
  return {n("Tanh", {n("Add", {x, product})}), ""};
}
State rnn_relu_step(Nodes& n, const std::string& x, const std::string& product, const State&, std::int64_t) {
  return {n("Relu", {n("Add", {x, product})}), ""};
}
State lstm_step(Nodes& n, const std::string& x, const std::string& product, const State& before, std::int64_t hidden) {
  const Names g = gates(n, n("Add", {x, product}), hidden, 4);
  const std::string kept = n("Mul", {n("Sigmoid", {g[1]}), before.cell});
  const std::string cell = n("Add", {kept, n("Mul", {n("Sigmoid", {g[0]}), n("Tanh", {g[2]})})});
  return {n("Mul", {n("Sigmoid", {g[3]}), n("Tanh", {cell})}), cell};
}
State gru_step(Nodes& n, const std::string& x, const std::string& product, const State& before, std::int64_t hidden) {
  const Names a = gates(n, x, hidden, 3), b = gates(n, product, hidden, 3);
  const std::string reset = n("Sigmoid", {n("Add", {a[0], b[0]})}), keep = n("Sigmoid", {n("Add", {a[1], b[1]})});
  const std::string fresh = n("Tanh", {n("Add", {a[2], n("Mul", {reset, b[2]})})});
  return {n("Add", {fresh, n("Mul", {keep, n("Sub", {before.hidden, fresh})})}), ""};
}

// Which of the inputs x, weight, bias, hidden, cell, lengths there are.
struct Given {
  bool bias, cell, lengths, reverse;
};

Names scan(Nodes& n, const Names& in, const Given& given, StepBody step, std::int64_t hidden) {
  std::size_t next = 2;
  const std::string &x = in[0], &weight = in[1];
  const std::string bias = given.bias ? in[next++] : "";
  const std::string& start = in[next++];
  const std::string start_cell = given.cell ? in[next++] : "", lengths = given.lengths ? in[next++] : "";

  InnerGraph inner(n);
  State before{inner.input("hidden"), given.cell ? inner.input("cell") : ""};
  const std::string x_now = inner.input("x"), time = given.lengths ? inner.input("time") : "";
  std::string product = inner("MatMul", {before.hidden, weight});
  if (given.bias) product = inner("Add", {product, bias});
  State after = step(inner, x_now, product, before, hidden);
  if (given.lengths) {
    const std::string runs = inner("Unsqueeze", {inner("Greater", {lengths, time}), inner.wholes({1})});
    after.hidden = inner("Where", {runs, after.hidden, before.hidden});
    if (given.cell) after.cell = inner("Where", {runs, after.cell, before.cell});
  }
  for (int i = 0; i < 2; ++i) {  // the state, then what is kept of each step
    inner.output(after.hidden);
    if (given.cell) inner.output(after.cell);
  }

  Names inputs{start};
  if (given.cell) inputs.push_back(start_cell);
  inputs.push_back(x);
  if (given.lengths) {
    const std::string steps = n("Squeeze", {n("Shape", {x}, {{"start", 0}, {"end", 1}})});
    inputs.push_back(n("Range", {n.constant(scalar(0, i64)), steps, n.constant(scalar(1, i64))}));
  }
  const int states = given.cell ? 2 : 1, scanned = given.lengths ? 2 : 1;
  const std::int64_t direction = given.reverse ? 1 : 0;
  const Names all =
      n.add("Scan", inputs,
            {{"body", inner.graph()},
             {"num_scan_inputs", scanned},
             {"scan_input_directions", std::vector<std::int64_t>(static_cast<std::size_t>(scanned), direction)},
             {"scan_output_directions", std::vector<std::int64_t>(static_cast<std::size_t>(states), direction)}},
            2 * states);
  return {all.begin() + states, all.end()};
}

void add_cell(Operators& all, const char* name, StepBody step) {
  all.write[name] = {[=](Writer& w, const TracedOp& op) {
    const Given given{op.in(2) >= 0, op.in(4) >= 0, op.in(5) >= 0, op.whole("reverse") != 0};
    const std::int64_t hidden = w.shape(op.in(3))[1];
    Names in;
    for (const int v : op.inputs)
      if (v >= 0) in.push_back(w.get(v));
    Attributes attributes = fields_of(op);
    attributes.push_back({"biased", std::int64_t{given.bias}});
    attributes.push_back({"limited", std::int64_t{given.lengths}});
    const auto body = [&](Nodes& n, const Names& x) { return scan(n, x, given, step, hidden); };
    const Names y = w.function(op.name, in, attributes, given.cell ? 2 : 1, body);
    for (std::size_t i = 0; i < y.size(); ++i) w.give(op.outputs[i], y[i]);
  }};
}

// x, weight, bias or none, the states before, lengths or none.
template <class F>
void add_reader(Operators& all, const char* name, std::size_t states, F f) {
  all.functions[name] = {[=](NodeReader& node) -> Run {
    const bool biased = node.whole("biased") != 0, limited = node.whole("limited") != 0;
    const bool reverse = node.whole("reverse") != 0;
    const std::size_t count = 2 + states + (biased ? 1 : 0) + (limited ? 1 : 0);
    node.needs(count, count, states);
    return [=](Call& call) {
      Tensors in{call.in(0), call.in(1), biased ? call.in(2) : Tensor()};
      for (std::size_t i = 0; i < states; ++i) in.push_back(call.in(i + (biased ? 3 : 2)));
      const RecurrenceOptions options{reverse, limited ? call.in(count - 1) : Tensor()};
      const Tensors y = f(in, options);
      for (std::size_t i = 0; i < y.size(); ++i) call.give(y[i], i);
    };
  }};
}

}  // namespace

void add_recurrences(Operators& all) {
  add_cell(all, "rnn_states", &rnn_step);
  add_cell(all, "rnn_relu_states", &rnn_relu_step);
  add_cell(all, "lstm_states", &lstm_step);
  add_cell(all, "gru_states", &gru_step);
  using Options = RecurrenceOptions;
  add_reader(all, "rnn_states", 1,
             [](const Tensors& in, const Options& o) { return Tensors{rnn_states(in[0], in[1], in[3], o)}; });
  add_reader(all, "rnn_relu_states", 1,
             [](const Tensors& in, const Options& o) { return Tensors{rnn_relu_states(in[0], in[1], in[3], o)}; });
  add_reader(all, "lstm_states", 2,
             [](const Tensors& in, const Options& o) { return lstm_states(in[0], in[1], in[3], in[4], o); });
  add_reader(all, "gru_states", 1,
             [](const Tensors& in, const Options& o) { return Tensors{gru_states(in[0], in[1], in[2], in[3], o)}; });
}

}  // namespace weft::onnx::detail

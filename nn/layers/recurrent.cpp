#include <weft/nn/layers/recurrent.hpp>

#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/dropout.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

// The products with the inputs, of all steps at once. Where both biases are only added they are added first.
Tensor from_inputs(const Tensor& x, const RecurrentWeights& w) {
  return linear(x, w.weight_ih, w.bias_ih.defined() ? w.bias_ih + w.bias_hh : Tensor());
}

Tensors rnn(const Tensor& x, const RecurrentWeights& w, const RecurrentState& before, const RecurrenceOptions& o) {
  return {rnn_states(from_inputs(x, w), w.weight_hh, before.hidden, o)};
}
Tensors rnn_relu(const Tensor& x, const RecurrentWeights& w, const RecurrentState& before, const RecurrenceOptions& o) {
  return {rnn_relu_states(from_inputs(x, w), w.weight_hh, before.hidden, o)};
}
Tensors lstm(const Tensor& x, const RecurrentWeights& w, const RecurrentState& before, const RecurrenceOptions& o) {
  return lstm_states(from_inputs(x, w), w.weight_hh, before.hidden, before.cell, o);
}
Tensors gru(const Tensor& x, const RecurrentWeights& w, const RecurrentState& before, const RecurrenceOptions& o) {
  return {gru_states(linear(x, w.weight_ih, w.bias_ih), w.weight_hh, w.bias_hh, before.hidden, o)};
}

constexpr RecurrentKind rnn_kind{"Rnn", 1, &rnn}, rnn_relu_kind{"Rnn", 1, &rnn_relu}, lstm_kind{"Lstm", 4, &lstm},
    gru_kind{"Gru", 3, &gru};

Tensor new_parameter(std::int64_t hidden, const Shape& shape) {
  Tensor t = empty(shape);
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  uniform_(t, -bound, bound);
  return t;
}

// A state to begin with, zeros if none is given.
Tensor or_zeros(const char* layer, const Tensor& state, const Shape& shape, DType dtype) {
  if (!state.defined()) return zeros(shape, dtype);
  if (state.shape() != shape) fail(layer, ": got a state ", state.shape(), ", needs ", shape);
  return state;
}

}  // namespace

RecurrentWeights::RecurrentWeights(Module* owner, const std::string& suffix, const RecurrentKind& kind, std::int64_t in,
                                   std::int64_t hidden, bool bias)
    : weight_ih{owner, "weight_ih" + suffix, new_parameter(hidden, {in, kind.gates * hidden})},
      weight_hh{owner, "weight_hh" + suffix, new_parameter(hidden, {hidden, kind.gates * hidden})},
      bias_ih{owner, "bias_ih" + suffix, bias ? new_parameter(hidden, {kind.gates * hidden}) : Tensor()},
      bias_hh{owner, "bias_hh" + suffix, bias ? new_parameter(hidden, {kind.gates * hidden}) : Tensor()} {}

std::vector<int> RecurrentWeights::pytorch_axes(std::string_view parameter) {
  return parameter.starts_with("weight_") ? std::vector{1, 0} : std::vector<int>();
}

Recurrent::Recurrent(const RecurrentKind& kind, std::int64_t in_of, std::int64_t hidden_of, const RecurrentOptions& o)
    : in(in_of), hidden(hidden_of), options(o), kind_(&kind) {
  detail::check_positive(kind.name, {in, hidden, o.layers});
  if (!(o.dropout >= 0 && o.dropout < 1)) fail(kind.name, ": got dropout ", o.dropout, ", needs 0 <= dropout < 1");
  const std::int64_t directions = o.bidirectional ? 2 : 1;
  for (std::int64_t layer = 0; layer < o.layers; ++layer)
    for (std::int64_t direction = 0; direction < directions; ++direction)
      weights_.emplace_back(this, "_l" + std::to_string(layer) + (direction == 1 ? "_reverse" : ""), kind,
                            layer == 0 ? in : directions * hidden, hidden, o.bias);
}

Tensor Recurrent::forward(const Tensor& x) { return run_layers(x, {}).output; }

Tensor Recurrent::forward(const Tensor& x, const Tensor& lengths) { return run_layers(x, {.lengths = lengths}).output; }

RecurrentResult Recurrent::run(const Tensor& x, const RecurrentStart& start) {
  return inside([&] { return run_layers(x, start); });
}

RecurrentResult Recurrent::run_layers(const Tensor& x, const RecurrentStart& start) const {
  if (x.rank() != 3 || x.size(2) != in) fail(kind_->name, ": got ", x.shape(), ", needs {batch, time, ", in, "}");
  const Shape shape{static_cast<std::int64_t>(weights_.size()), x.size(0), hidden};
  const RecurrentState all{or_zeros(kind_->name, start.state.hidden, shape, x.dtype()),
                           or_zeros(kind_->name, start.state.cell, shape, x.dtype())};
  Tensors hiddens, cells, outputs;
  Tensor y = swap_axes(x, 0, 1);  // a step's rows beside each other
  const std::int64_t steps = y.size(0);
  for (std::size_t net = 0; net < weights_.size(); ++net) {
    const auto i = static_cast<std::int64_t>(net);
    const bool backwards = options.bidirectional && net % 2 == 1, last = !options.bidirectional || backwards;
    const RecurrentState before{all.hidden[i], all.cell[i]};
    const Tensors states = kind_->states(y, weights_[net], before, {.reverse = backwards, .lengths = start.lengths});
    const auto after = [&](const Tensor& each) { return each[backwards ? 0 : steps - 1]; };
    hiddens.push_back(steps == 0 ? before.hidden : after(states[0]));
    if (states.size() > 1) cells.push_back(steps == 0 ? before.cell : after(states[1]));
    outputs.push_back(states[0]);
    if (!last) continue;
    y = outputs.size() == 1 ? outputs[0] : concat(outputs);
    outputs.clear();
    if (net + 1 < weights_.size()) y = dropout(y, options.dropout, is_training());
  }
  if (start.lengths.defined()) {
    const Tensor step = reshape(arange(steps, i64), {steps, 1, 1});
    y = where(less(step, unsqueeze(start.lengths, 1)), y, 0.0);
  }
  return {swap_axes(y, 0, 1), {stack(hiddens, 0), cells.empty() ? Tensor() : stack(cells, 0)}};
}

std::int64_t Recurrent::multiply_adds(const Shape& input, const Shape&) const {
  std::int64_t weights = 0;
  for (const RecurrentWeights& w : weights_) weights += w.weight_ih.size() + w.weight_hh.size();
  return input[0] * input[1] * weights;
}

Rnn::Rnn(std::int64_t in_of, std::int64_t hidden_of, const RnnOptions& o)
    : Recurrent(o.relu ? rnn_relu_kind : rnn_kind, in_of, hidden_of,
                {.layers = o.layers, .bidirectional = o.bidirectional, .bias = o.bias, .dropout = o.dropout}) {}

Lstm::Lstm(std::int64_t in_of, std::int64_t hidden_of, const RecurrentOptions& o)
    : Recurrent(lstm_kind, in_of, hidden_of, o) {}

Gru::Gru(std::int64_t in_of, std::int64_t hidden_of, const RecurrentOptions& o)
    : Recurrent(gru_kind, in_of, hidden_of, o) {}

RecurrentCell::RecurrentCell(const RecurrentKind& kind, std::int64_t in_of, std::int64_t hidden_of,
                             RecurrentCellOptions o)
    : in((detail::check_positive(kind.name, {in_of, hidden_of}), in_of)),
      hidden(hidden_of),
      weights(this, "", kind, in, hidden, o.bias),
      kind_(&kind) {}

RecurrentState RecurrentCell::step(const Tensor& x, const RecurrentState& before) const {
  if (x.rank() != 2 || x.size(1) != in) fail(kind_->name, ": got ", x.shape(), ", needs {batch, ", in, "}");
  const Shape shape{x.size(0), hidden};
  const RecurrentState start{or_zeros(kind_->name, before.hidden, shape, x.dtype()),
                             or_zeros(kind_->name, before.cell, shape, x.dtype())};
  const Tensors after = kind_->states(unsqueeze(x, 0), weights, start, {});
  return {after[0][0], after.size() > 1 ? after[1][0] : Tensor()};
}

RnnCell::RnnCell(std::int64_t in_of, std::int64_t hidden_of, RecurrentCellOptions o)
    : RecurrentCell(rnn_kind, in_of, hidden_of, o) {}

LstmCell::LstmCell(std::int64_t in_of, std::int64_t hidden_of, RecurrentCellOptions o)
    : RecurrentCell(lstm_kind, in_of, hidden_of, o) {}

GruCell::GruCell(std::int64_t in_of, std::int64_t hidden_of, RecurrentCellOptions o)
    : RecurrentCell(gru_kind, in_of, hidden_of, o) {}

}  // namespace weft::nn

#include <weft/ops/recurrent.hpp>

#include <algorithm>

#include <weft/engine/detail/entrance.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/kernels/recurrent/recurrent.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reshape.hpp>
#include <weft/ops/unary.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;

// Of a tensor that may be absent.
template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? data_of<T>(t) : nullptr;
}
template <class T>
T* mutable_data_or_null(const Tensor& t) {
  return t.defined() ? mutable_data_of<T>(t) : nullptr;
}

// Inputs: x, weight and bias, the state and cell before, lengths; bias, cell and lengths may be absent. Outputs: the
// states and, of an LSTM, the cells.
template <class Cell>
struct States {
  static constexpr const char* name = Cell::name;
  bool reverse;

  Tensors forward(Context& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& hidden,
                  const Tensor& cell, const Tensor& lengths) const {
    const Shape shape{x.size(0), x.size(1), hidden.size(1)};
    Tensors y{make_tensor(name, shape, x.dtype())};
    if (Cell::has_cell) y.push_back(make_tensor(name, shape, x.dtype()));
    bool recorded = false;
    for (int i = 0; i < 5; ++i) recorded |= ctx.needs(i);
    const Tensor kept = recorded ? make_tensor(name, {shape[0], shape[1], Cell::kept * shape[2]}, x.dtype()) : Tensor();
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::recur<Cell>(problem<T>(x, weight, bias, hidden, cell, lengths), mutable_data_of<T>(y[0]),
                          mutable_data_or_null<T>(Cell::has_cell ? y[1] : Tensor()), mutable_data_or_null<T>(kept));
    });
    for (const Tensor& t : {x, weight, bias, hidden, cell, lengths, kept}) ctx.save(t);
    for (const Tensor& t : y) ctx.save(t);
    return y;
  }

  std::array<Tensor, 6> backward(Context& ctx, const Tensors& g) const {
    Tensors in;
    for (int i = 0; i < 6; ++i) in.push_back(ctx.saved(i));
    std::array<Tensor, 6> gradients;
    if (grad_enabled()) {
      const Tensor lengths = std::exchange(in[5], Tensor());
      const auto again = [this, lengths](const Tensors& inputs) { return from_ops(inputs, lengths); };
      const Tensors found = detail::recorded_gradients(again, in, g);
      std::copy_n(found.begin(), 5, gradients.begin());
      return gradients;
    }
    const Tensor kept = ctx.saved(6), states = ctx.saved(7), cells = Cell::has_cell ? ctx.saved(8) : Tensor();
    for (std::size_t i = 0; i < 5; ++i)
      if (in[i].defined() && ((i != 1 && i != 2) || ctx.needs(static_cast<int>(i))))
        gradients[i] = make_tensor(name, in[i].shape(), in[i].dtype());
    detail::visit_floating(states.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const auto to = [&](std::size_t i) { return mutable_data_or_null<T>(gradients[i]); };
      detail::recur_backward<Cell>(problem<T>(in[0], in[1], in[2], in[3], in[4], in[5]), data_of<T>(states),
                                   data_or_null<T>(cells), data_of<T>(kept),
                                   {.states = data_or_null<T>(g[0]),
                                    .cells = data_or_null<T>(Cell::has_cell ? g[1] : Tensor()),
                                    .x = to(0),
                                    .weight = to(1),
                                    .bias = to(2),
                                    .start = to(3),
                                    .start_cell = to(4)});
    });
    return gradients;
  }
  Fields describe() const { return {{"reverse", reverse}}; }

 private:
  template <class T>
  detail::Recurrence<T> problem(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& hidden,
                                const Tensor& cell, const Tensor& lengths) const {
    return {.steps = x.size(0),
            .batch = x.size(1),
            .hidden = hidden.size(1),
            .reverse = reverse,
            .lengths = data_or_null<std::int64_t>(lengths),
            .x = data_of<T>(x),
            .weight = data_of<T>(weight),
            .bias = data_or_null<T>(bias),
            .start = data_of<T>(hidden),
            .start_cell = data_or_null<T>(cell)};
  }

  // The same with a node of the tape for each op, from the formula that the kernel runs.
  Tensors from_ops(const Tensors& inputs, const Tensor& lengths) const {
    const Tensor &x = inputs[0], &weight = inputs[1], &bias = inputs[2];
    detail::CellState<Tensor> state{inputs[3], inputs[4]};
    const std::int64_t steps = x.size(0);
    Tensors states(static_cast<std::size_t>(steps)), cells = states;
    for (std::int64_t k = 0; k < steps; ++k) {
      const std::int64_t t = reverse ? steps - 1 - k : k;
      detail::Gates<Tensor, Cell::kept> kept;
      const auto after = Cell::forward(gates(x[t]), gates(linear(state.hidden, weight, bias)), state, kept);
      const auto or_before = [&](const Tensor& next, const Tensor& before) {
        return lengths.defined() ? where(unsqueeze(greater(lengths, static_cast<double>(t)), 1), next, before) : next;
      };
      state.hidden = or_before(after.hidden, state.hidden);
      if constexpr (Cell::has_cell) state.cell = or_before(after.cell, state.cell);
      states[static_cast<std::size_t>(t)] = state.hidden;
      cells[static_cast<std::size_t>(t)] = state.cell;
    }
    const auto joined = [&](const Tensors& of) { return steps > 0 ? stack(of, 0) : slice(x, 2, 0, inputs[3].size(1)); };
    Tensors y{joined(states)};
    if (Cell::has_cell) y.push_back(joined(cells));
    return y;
  }
  static detail::Gates<Tensor, Cell::gates> gates(const Tensor& a) {
    detail::Gates<Tensor, Cell::gates> result;
    const Tensors parts = chunk(a, Cell::gates);
    std::copy(parts.begin(), parts.end(), result.begin());
    return result;
  }
};

template <class Cell>
Tensors states(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& hidden, const Tensor& cell,
               const RecurrenceOptions& options) {
  constexpr const char* op = Cell::name;
  constexpr std::int64_t n = Cell::gates;
  detail::check_floating(op, x);
  for (const Tensor& t : {weight, bias, hidden, cell})
    if (t.defined()) detail::check_same_dtype(op, x, t);
  const bool ranked = x.rank() == 3 && hidden.rank() == 2 && hidden.size(1) > 0;
  if (!ranked || x.size(1) != hidden.size(0) || x.size(2) != n * hidden.size(1) ||
      weight.shape() != Shape{hidden.size(1), x.size(2)})
    fail(op, ": got x ", x.shape(), ", weight ", weight.shape(), " and state ", hidden.shape(),
         ", needs {steps, batch, ", n, " hidden}, {hidden, ", n, " hidden} and {batch, hidden}");
  if (bias.defined() && bias.shape() != Shape{x.size(2)})
    fail(op, ": got bias ", bias.shape(), ", needs {", x.size(2), "}");
  if (cell.defined() && cell.shape() != hidden.shape())
    fail(op, ": got cell ", cell.shape(), ", needs ", hidden.shape());
  if (const Tensor& lengths = options.lengths; lengths.defined()) {
    if (lengths.dtype() != i64 || lengths.shape() != Shape{x.size(1)})
      fail(op, ": got lengths ", lengths.dtype(), " ", lengths.shape(), ", needs i64 {", x.size(1), "}");
    for (const std::int64_t length : lengths.data<std::int64_t>())
      if (length < 0 || length > x.size(0)) fail(op, ": got the length ", length, ", needs 0 to ", x.size(0));
  }
  return apply(States<Cell>{options.reverse}, x, weight, bias, hidden, cell, options.lengths);
}

}  // namespace

Tensor rnn_states(const Tensor& x, const Tensor& weight, const Tensor& hidden, const RecurrenceOptions& options) {
  return states<detail::RnnCell<false>>(x, weight, {}, hidden, {}, options)[0];
}

Tensor rnn_relu_states(const Tensor& x, const Tensor& weight, const Tensor& hidden, const RecurrenceOptions& options) {
  return states<detail::RnnCell<true>>(x, weight, {}, hidden, {}, options)[0];
}

Tensors lstm_states(const Tensor& x, const Tensor& weight, const Tensor& hidden, const Tensor& cell,
                    const RecurrenceOptions& options) {
  return states<detail::LstmCell>(x, weight, {}, hidden, cell, options);
}

Tensor gru_states(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& hidden,
                  const RecurrenceOptions& options) {
  return states<detail::GruCell>(x, weight, bias, hidden, {}, options)[0];
}

}  // namespace weft

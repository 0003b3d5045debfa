#pragma once
// One step of a recurrent net, for one hidden unit: formulas on registers, and on tensors where
// gradients of gradients are wanted. A step sees the input's part x of each gate
// and the state's part r of it, and what the state was; `kept` is what it leaves for its gradient.
#include <array>
#include <cstddef>

namespace weft::detail {

/// The state of a unit; also a gradient of it.
template <class R>
struct CellState {
  R hidden, cell{};  // only LSTM has a cell
};

template <class R, int n>
using Gates = std::array<R, static_cast<std::size_t>(n)>;

/// What the gradient of a step gives: of the parts of the gates, which are the same unless `splits`, and of the state
/// before, as far as that did not go through r.
template <class R, int gates>
struct CellGradients {
  Gates<R, gates> x, r;
  CellState<R> before;
};

/// h' = tanh(x + r), or relu (Elman, Cognitive Science 14, 1990).
template <bool relu>
struct RnnCell {
  static constexpr const char* name = relu ? "rnn_relu_states" : "rnn_states";
  static constexpr int gates = 1, kept = 1;
  static constexpr bool has_cell = false, splits = false;

  template <class R>
  static CellState<R> forward(const Gates<R, 1>& x, const Gates<R, 1>& r, const CellState<R>&, Gates<R, 1>& kept_to) {
    const R sum = x[0] + r[0];
    R& h = kept_to[0];
    if constexpr (relu)
      h = where(sum < 0.0, 0.0, sum);
    else
      h = tanh(sum);
    return {h};
  }
  template <class R>
  static CellGradients<R, 1> backward(const Gates<R, 1>& kept_from, const CellState<R>&, const CellState<R>& g) {
    const R h = kept_from[0];
    if constexpr (relu)
      return {.x = {where(equal(h, 0.0), 0.0, g.hidden)}, .r = {}, .before = {zeros_like(h)}};
    else
      return {.x = {g.hidden * (1.0 - h * h)}, .r = {}, .before = {zeros_like(h)}};
  }
};

/// i, f, o = sigmoid(x + r), g = tanh(x + r), in the order i f g o; c' = f c + i g, h' = o tanh(c') (Hochreiter and
/// Schmidhuber 1997, with Gers' forget gate).
struct LstmCell {
  static constexpr const char* name = "lstm_states";
  static constexpr int gates = 4, kept = 5;
  static constexpr bool has_cell = true, splits = false;

  template <class R>
  static CellState<R> forward(const Gates<R, 4>& x, const Gates<R, 4>& r, const CellState<R>& before,
                              Gates<R, 5>& kept_to) {
    const R i = sigmoid(x[0] + r[0]), f = sigmoid(x[1] + r[1]), g = tanh(x[2] + r[2]), o = sigmoid(x[3] + r[3]);
    const R cell = f * before.cell + i * g, shown = tanh(cell);
    kept_to = {i, f, g, o, shown};
    return {o * shown, cell};
  }
  template <class R>
  static CellGradients<R, 4> backward(const Gates<R, 5>& kept_from, const CellState<R>& before,
                                      const CellState<R>& gradient) {
    const auto& [i, f, g, o, shown] = kept_from;
    const R cell = gradient.cell + gradient.hidden * o * (1.0 - shown * shown);
    return {.x = {cell * g * i * (1.0 - i), cell * before.cell * f * (1.0 - f), cell * i * (1.0 - g * g),
                  gradient.hidden * shown * o * (1.0 - o)},
            .r = {},
            .before = {zeros_like(o), cell * f}};
  }
};

/// r, z = sigmoid(x + r) and n = tanh(x + r r_n), in the order r z n; h' = (1 - z) n + z h (Cho et al., arXiv
/// 1406.1078, with the reset gate after the product, as in PyTorch).
struct GruCell {
  static constexpr const char* name = "gru_states";
  static constexpr int gates = 3, kept = 4;
  static constexpr bool has_cell = false, splits = true;

  template <class R>
  static CellState<R> forward(const Gates<R, 3>& x, const Gates<R, 3>& r, const CellState<R>& before,
                              Gates<R, 4>& kept_to) {
    const R reset = sigmoid(x[0] + r[0]), update = sigmoid(x[1] + r[1]), candidate = tanh(x[2] + reset * r[2]);
    kept_to = {reset, update, candidate, r[2]};
    return {candidate + update * (before.hidden - candidate)};
  }
  template <class R>
  static CellGradients<R, 3> backward(const Gates<R, 4>& kept_from, const CellState<R>& before,
                                      const CellState<R>& gradient) {
    const auto& [reset, update, candidate, state_part] = kept_from;
    const R g = gradient.hidden;
    const R inside = g * (1.0 - update) * (1.0 - candidate * candidate);
    const R to_reset = inside * state_part * reset * (1.0 - reset);
    const R to_update = g * (before.hidden - candidate) * update * (1.0 - update);
    return {.x = {to_reset, to_update, inside}, .r = {to_reset, to_update, inside * reset}, .before = {g * update}};
  }
};

}  // namespace weft::detail

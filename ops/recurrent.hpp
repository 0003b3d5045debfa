#pragma once
// The recurrences of recurrent nets: what nn::Rnn, Lstm and Gru run over the steps.
#include <weft/engine/tensor.hpp>

namespace weft {

struct RecurrenceOptions {
  bool reverse = false;  ///< from the last step to the first
  /// How many steps each sequence has, i64 {batch}; undefined: all. In steps beyond its end a sequence's state stays as
  /// it is, so that a reversed one begins at its own last step.
  Tensor lengths = {};
};

/// h[t] = tanh(x[t] + h[t - 1] weight), or relu in the place of tanh: x {steps, batch, hidden}, weight {hidden,
/// hidden}, the state before {batch, hidden}; the states after each step {steps, batch, hidden}. f32 and f64, like the
/// others.
Tensor rnn_states(const Tensor& x, const Tensor& weight, const Tensor& hidden, const RecurrenceOptions& options = {});
Tensor rnn_relu_states(const Tensor& x, const Tensor& weight, const Tensor& hidden,
                       const RecurrenceOptions& options = {});

/// Long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9, 1997, with Gers' forget gate): the gates
/// i, f, g, o, in this order, of x[t] + h[t - 1] weight, where x is {steps, batch, 4 hidden} and weight {hidden, 4
/// hidden}; c[t] = sigmoid(f) c[t - 1] + sigmoid(i) tanh(g), h[t] = sigmoid(o) tanh(c[t]). Gives {h, c}, each {steps,
/// batch, hidden}.
Tensors lstm_states(const Tensor& x, const Tensor& weight, const Tensor& hidden, const Tensor& cell,
                    const RecurrenceOptions& options = {});

/// Gated recurrent units (Cho et al., arXiv 1406.1078; the reset gate after the product, as in PyTorch): the gates r,
/// z, n, in this order, of x[t] {.., 3 hidden} and s[t] = h[t - 1] weight + bias; n = tanh(x_n + sigmoid(r) s_n), h[t]
/// = (1 - sigmoid(z)) n + sigmoid(z) h[t - 1]. weight {hidden, 3 hidden}, bias {3 hidden} or undefined.
Tensor gru_states(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& hidden,
                  const RecurrenceOptions& options = {});

}  // namespace weft

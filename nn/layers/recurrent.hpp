#pragma once
// Recurrent layers over batches of sequences, {batch, time, features}, and their cells, which take one step.
#include <weft/nn/module.hpp>
#include <weft/ops/recurrent.hpp>

#include <vector>

namespace weft::nn {

struct RecurrentOptions {
  std::int64_t layers = 1;     ///< each reads what the one before gives
  bool bidirectional = false;  ///< a second net reads each sequence backwards; what it gives comes after the first's
  bool bias = true;
  double dropout = 0;  ///< of what goes from one layer to the next, in training
};

/// What a recurrent net carries from step to step: of a layer {layers * directions, batch, hidden}, layer after layer,
/// backwards after forwards; of a cell {batch, hidden}. Undefined tensors are zeros. Only an LSTM has a cell.
struct RecurrentState {
  Tensor hidden, cell = {};
};

/// Where a run begins.
struct RecurrentStart {
  Tensor lengths = {};  ///< steps of each sequence, i64 {batch}; what comes after them is padding. Undefined: all
  RecurrentState state = {};
};

struct RecurrentResult {
  Tensor output;         ///< {batch, time, directions * hidden}: of the last layer, after each step; 0 in padding
  RecurrentState state;  ///< after each sequence's last step
};

struct RecurrentKind;

/// A net's weights in one direction of one layer, named as in PyTorch, gates side by side: weight_ih {in, gates *
/// hidden}, weight_hh {hidden, gates * hidden} and a bias {gates * hidden} for each. All start uniform within 1 /
/// sqrt(hidden), as there.
struct RecurrentWeights {
  RecurrentWeights(Module* owner, const std::string& suffix, const RecurrentKind& kind, std::int64_t in,
                   std::int64_t hidden, bool bias);
  /// Of the owner's.
  static std::vector<int> pytorch_axes(std::string_view parameter);

  Param weight_ih, weight_hh, bias_ih, bias_hh;  ///< biases are undefined without
};

/// What tells the kinds of nets apart.
struct RecurrentKind {
  const char* name;
  std::int64_t gates;  ///< sums of a unit
  /// The states after each step, and the cells if there are any, of x {time, batch, in}.
  Tensors (*states)(const Tensor& x, const RecurrentWeights& weights, const RecurrentState& before,
                    const RecurrenceOptions& options);
};

/// What Rnn, Lstm and Gru have in common. The output for a batch of sequences is `gru(x)`, with padding `gru(x,
/// lengths)`; `auto [output, state] = gru->run(x, {.lengths = lengths, .state = before})` has all of it.
class Recurrent : public Module {
 public:
  using Options = RecurrentOptions;
  /// x {batch, time, in} to {batch, time, directions * hidden}.
  Tensor forward(const Tensor& x) override;
  Tensor forward(const Tensor& x, const Tensor& lengths);
  using Module::operator();
  Tensor operator()(const Tensor& x, const Tensor& lengths) {
    return called(x, [&] { return forward(x, lengths); });
  }
  RecurrentResult run(const Tensor& x, const RecurrentStart& start = {});
  std::int64_t multiply_adds(const Shape& input, const Shape& output) const override;
  std::vector<int> pytorch_axes(std::string_view parameter) const override {
    return RecurrentWeights::pytorch_axes(parameter);
  }

  const std::int64_t in, hidden;
  const RecurrentOptions options;

 protected:
  Recurrent(const RecurrentKind& kind, std::int64_t in, std::int64_t hidden, const RecurrentOptions& options);

 private:
  RecurrentResult run_layers(const Tensor& x, const RecurrentStart& start) const;

  const RecurrentKind* kind_;
  std::vector<RecurrentWeights> weights_;  // in the order of RecurrentState
};

struct RnnOptions {
  std::int64_t layers = 1;
  bool bidirectional = false;
  bool bias = true;
  double dropout = 0;
  bool relu = false;  ///< in the place of tanh
};

/// h' = tanh(x weight_ih + h weight_hh + biases) (Elman, Cognitive Science 14, 1990), as in PyTorch.
struct Rnn : Recurrent {
  using Options = RnnOptions;
  Rnn(std::int64_t in, std::int64_t hidden, const RnnOptions& options = {});
};

/// Long short-term memory (lstm_states), as in PyTorch.
struct Lstm : Recurrent {
  Lstm(std::int64_t in, std::int64_t hidden, const RecurrentOptions& options = {});
};

/// Gated recurrent units (gru_states), as in PyTorch.
struct Gru : Recurrent {
  Gru(std::int64_t in, std::int64_t hidden, const RecurrentOptions& options = {});
};

struct RecurrentCellOptions {
  bool bias = true;
};

/// What the cells have in common: one step, for wirings of one's own.
class RecurrentCell : public Module {
 public:
  using Options = RecurrentCellOptions;
  std::vector<int> pytorch_axes(std::string_view parameter) const override {
    return RecurrentWeights::pytorch_axes(parameter);
  }

  const std::int64_t in, hidden;
  RecurrentWeights weights;

 protected:
  RecurrentCell(const RecurrentKind& kind, std::int64_t in, std::int64_t hidden, RecurrentCellOptions options);
  RecurrentState step(const Tensor& x, const RecurrentState& before) const;

 private:
  const RecurrentKind* kind_;
};

/// One step of Rnn: x {batch, in} and the state {batch, hidden} before, or nothing, to the next state.
struct RnnCell : RecurrentCell {
  RnnCell(std::int64_t in, std::int64_t hidden, RecurrentCellOptions options = {});
  using Module::forward;
  Tensor forward(const Tensor& x, const Tensor& before) { return step(x, {before}).hidden; }
};

/// One step of Lstm: `state = cell(x, state)`.
struct LstmCell : RecurrentCell {
  LstmCell(std::int64_t in, std::int64_t hidden, RecurrentCellOptions options = {});
  using Module::forward;
  RecurrentState forward(const Tensor& x, const RecurrentState& before) { return step(x, before); }
};

/// One step of Gru.
struct GruCell : RecurrentCell {
  GruCell(std::int64_t in, std::int64_t hidden, RecurrentCellOptions options = {});
  using Module::forward;
  Tensor forward(const Tensor& x, const Tensor& before) { return step(x, {before}).hidden; }
};

}  // namespace weft::nn

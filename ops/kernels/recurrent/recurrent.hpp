#pragma once
// Recurrent nets over the steps of a batch of sequences. T is float or double, Cell one of cells.hpp.
#include <weft/ops/kernels/recurrent/cells.hpp>

#include <cstdint>

namespace weft::detail {

/// Sizes and inputs. Sequences are {steps, batch, ...}: a matrix a step.
template <class T>
struct Recurrence {
  std::int64_t steps = 0, batch = 0, hidden = 0;
  bool reverse = false;                   ///< from the last step to the first
  const std::int64_t* lengths = nullptr;  ///< of each row, or null; in steps beyond, the row's state stays
  const T* x = nullptr;                   ///< {steps, batch, gates * hidden}
  const T* weight = nullptr;              ///< {hidden, gates * hidden}
  const T* bias = nullptr;                ///< {gates * hidden}, or null: added to the product with the weight
  const T* start = nullptr;               ///< {batch, hidden}
  const T* start_cell = nullptr;          ///< likewise, of an LSTM
};

/// The states after each step, {steps, batch, hidden}, the cells likewise (of an LSTM), and, unless null, what
/// recur_backward wants to know, {steps, batch, Cell::kept * hidden}.
template <class Cell, class T>
void recur(const Recurrence<T>& r, T* states, T* cells, T* kept);

/// Gradients of the states and cells, null where there are none, and those of the inputs, as large as these. x, start
/// and (of an LSTM) start_cell are needed; weight and bias may be null.
template <class T>
struct RecurrenceGradients {
  const T *states, *cells;
  T *x, *weight, *bias, *start, *start_cell;
};
template <class Cell, class T>
void recur_backward(const Recurrence<T>& r, const T* states, const T* cells, const T* kept,
                    const RecurrenceGradients<T>& g);

}  // namespace weft::detail

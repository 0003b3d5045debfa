#include <weft/ops/kernels/recurrent/recurrent.hpp>

#include <algorithm>
#include <optional>

#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>
#include <weft/ops/kernels/linalg/packed.hpp>
#include <weft/ops/kernels/loops/scratch.hpp>
#include <weft/ops/kernels/reduce/reduce.hpp>
#include <weft/ops/kernels/simd/register.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

namespace weft::detail {

namespace {

// The step that is the k-th to be taken.
template <class T>
std::int64_t step_at(const Recurrence<T>& r, std::int64_t k) {
  return r.reverse ? r.steps - 1 - k : k;
}

// The matrix before the k-th step, among those after each step.
template <class T>
const T* before_step(const Recurrence<T>& r, std::int64_t k, const T* start, const T* after) {
  return k == 0 ? start : after + step_at(r, k - 1) * r.batch * r.hidden;
}

// Calls f(row, whether its sequence reaches step t) for the rows of the batch.
template <class T, class F>
void for_rows(const Recurrence<T>& r, std::int64_t t, std::int64_t gates, const F& f) {
  parallel_for(r.batch, grain_for(8 * gates * r.hidden), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row, r.lengths == nullptr || t < r.lengths[row]);
  });
}

// A unit's gates lie `hidden` apart.
template <int n, class V, class T>
Gates<Register<T>, n> load_gates(const V& v, const T* row, std::int64_t hidden) {
  Gates<Register<T>, n> gates;
  for (std::size_t i = 0; i < gates.size(); ++i) gates[i] = v.load(row + static_cast<std::int64_t>(i) * hidden);
  return gates;
}
template <class V, class T, std::size_t n>
void store_gates(const V& v, T* row, std::int64_t hidden, const std::array<Register<T>, n>& gates) {
  for (std::size_t i = 0; i < n; ++i) v.store(row + static_cast<std::int64_t>(i) * hidden, gates[i].v);
}

}  // namespace

template <class Cell, class T>
void recur(const Recurrence<T>& r, T* states, T* cells, T* kept) {
  using R = Register<T>;
  const std::int64_t hidden = r.hidden, width = Cell::gates * hidden;
  const PackedMatrix<T> weight(false, hidden, width, r.weight, width);
  const Scratch<T> parts(r.batch * width);
  for (std::int64_t k = 0; k < r.steps; ++k) {
    const std::int64_t t = step_at(r, k);
    const T *before = before_step(r, k, r.start, states), *cell_before = before_step(r, k, r.start_cell, cells);
    weight.multiply(r.batch, before, hidden, false, parts.data(), width);
    for_rows(r, t, Cell::gates, [&](std::int64_t row, bool reached) {
      const std::int64_t from = row * hidden, to = (t * r.batch + row) * hidden;
      if (!reached) {
        std::copy_n(before + from, hidden, states + to);
        if constexpr (Cell::has_cell) std::copy_n(cell_before + from, hidden, cells + to);
        return;
      }
      for_vectors<T>(hidden, [&](auto v) {
        const auto x = load_gates<Cell::gates>(v, r.x + to * Cell::gates, hidden);
        auto part = load_gates<Cell::gates>(v, parts.data() + from * Cell::gates, hidden);
        if (r.bias != nullptr) {
          const auto bias = load_gates<Cell::gates>(v, r.bias, hidden);
          for (std::size_t i = 0; i < part.size(); ++i) part[i] = part[i] + bias[i];
        }
        CellState<R> state{v.load(before + from)};
        if constexpr (Cell::has_cell) state.cell = v.load(cell_before + from);
        Gates<R, Cell::kept> keep;
        state = Cell::forward(x, part, state, keep);
        v.store(states + to, state.hidden.v);
        if constexpr (Cell::has_cell) v.store(cells + to, state.cell.v);
        if (kept != nullptr) store_gates(v, kept + to * Cell::kept, hidden, keep);
      });
    });
  }
}

template <class Cell, class T>
void recur_backward(const Recurrence<T>& r, const T* states, const T* cells, const T* kept,
                    const RecurrenceGradients<T>& g) {
  using R = Register<T>;
  const std::int64_t hidden = r.hidden, width = Cell::gates * hidden, matrix = r.batch * hidden;
  // The gradients of the products with the weight, which are those of x but for a cell that splits.
  std::optional<Scratch<T>> apart;
  if constexpr (Cell::splits) apart.emplace(r.steps * r.batch * width);
  T* const parts = Cell::splits ? apart->data() : g.x;
  const PackedMatrix<T> weight(true, width, hidden, r.weight, width);
  const Scratch<T> through(matrix);  // what comes from the step after through its product with the weight
  std::fill_n(through.data(), matrix, T{0});
  // What comes from there beside it, and in the end what is left for the start.
  std::fill_n(g.start, matrix, T{0});
  if constexpr (Cell::has_cell) std::fill_n(g.start_cell, matrix, T{0});
  for (std::int64_t k = r.steps - 1; k >= 0; --k) {
    const std::int64_t t = step_at(r, k);
    const T *before = before_step(r, k, r.start, states), *cell_before = before_step(r, k, r.start_cell, cells);
    for_rows(r, t, Cell::gates, [&](std::int64_t row, bool reached) {
      const std::int64_t from = row * hidden, to = (t * r.batch + row) * hidden;
      T *const carried = g.start + from, *const carried_cell = Cell::has_cell ? g.start_cell + from : nullptr;
      if (!reached) {
        std::fill_n(g.x + to * Cell::gates, width, T{0});
        if constexpr (Cell::splits) std::fill_n(parts + to * Cell::gates, width, T{0});
      }
      for_vectors<T>(hidden, [&](auto v) {
        CellState<R> gradient{v.load(carried) + v.load(through.data() + from)};
        if (g.states != nullptr) gradient.hidden = gradient.hidden + R(v.load(g.states + to));
        if constexpr (Cell::has_cell) {
          gradient.cell = v.load(carried_cell);
          if (g.cells != nullptr) gradient.cell = gradient.cell + R(v.load(g.cells + to));
        }
        if (reached) {
          CellState<R> state{v.load(before + from)};
          if constexpr (Cell::has_cell) state.cell = v.load(cell_before + from);
          const auto found = Cell::backward(load_gates<Cell::kept>(v, kept + to * Cell::kept, hidden), state, gradient);
          store_gates(v, g.x + to * Cell::gates, hidden, found.x);
          if constexpr (Cell::splits) store_gates(v, parts + to * Cell::gates, hidden, found.r);
          gradient = found.before;
        }
        v.store(carried, gradient.hidden.v);
        if constexpr (Cell::has_cell) v.store(carried_cell, gradient.cell.v);
      });
    });
    weight.multiply(r.batch, parts + t * r.batch * width, width, false, through.data(), hidden);
  }
  for (std::int64_t i = 0; i < matrix; ++i) g.start[i] += through.data()[i];
  if (g.bias != nullptr) reduce_sum(parts, g.bias, {1, r.steps * r.batch, width});
  if (g.weight == nullptr) return;
  // The states before each step but the first lie together, and so do the gradients that belong to them.
  const std::int64_t first = r.steps > 0 ? step_at(r, 0) : 0, later = std::max<std::int64_t>(r.steps - 1, 0);
  gemm(true, false, hidden, width, r.steps > 0 ? r.batch : 0, r.start, hidden, parts + first * r.batch * width, width,
       T{0}, g.weight, width);
  gemm(true, false, hidden, width, later * r.batch, states + (r.reverse ? matrix : 0), hidden,
       parts + (r.reverse ? 0 : r.batch * width), width, T{1}, g.weight, width);
}

#define WEFT_INSTANTIATE(Cell, T)                              \
  template void recur<Cell>(const Recurrence<T>&, T*, T*, T*); \
  template void recur_backward<Cell>(const Recurrence<T>&, const T*, const T*, const T*, const RecurrenceGradients<T>&)
WEFT_INSTANTIATE(RnnCell<false>, float);
WEFT_INSTANTIATE(RnnCell<false>, double);
WEFT_INSTANTIATE(RnnCell<true>, float);
WEFT_INSTANTIATE(RnnCell<true>, double);
WEFT_INSTANTIATE(LstmCell, float);
WEFT_INSTANTIATE(LstmCell, double);
WEFT_INSTANTIATE(GruCell, float);
WEFT_INSTANTIATE(GruCell, double);
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

// Rows of recurrences.
#include <cmath>

#include <tests/support/op_table.hpp>
#include <weft/ops/recurrent.hpp>

namespace weft::test {
namespace {

using In = const Tensors&;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// Unit by unit. `step` is given what the input and the state make of each of a unit's gates, and the unit's state and
// cell before, and gives both after. in: x, weight, bias if there is one, the state, the cell if there is one, lengths.
struct Walk {
  std::int64_t gates = 1;
  bool bias = false, cell = false, lengths = false, reverse = false;
  std::function<std::pair<double, double>(const std::vector<double>& x, const std::vector<double>& r, double h,
                                          double c)>
      step = {};

  Arrays operator()(const Arrays& in) const {
    const Array &x = in[0], &weight = in[1], &start = in[bias ? 3 : 2];
    const std::int64_t steps = shape_of(x)[0], batch = shape_of(start)[0], hidden = shape_of(start)[1];
    Array states = zeros_of({steps, batch, hidden}), cells = states;
    for (std::int64_t row = 0; row < batch; ++row) {
      const std::int64_t length = lengths ? static_cast<std::int64_t>(element(in.back(), {row})) : steps;
      std::vector<double> h, c;
      for (std::int64_t unit = 0; unit < hidden; ++unit) {
        h.push_back(element(start, {row, unit}));
        c.push_back(cell ? element(in[3], {row, unit}) : 0);
      }
      for (std::int64_t k = 0; k < steps; ++k) {
        const std::int64_t t = reverse ? steps - 1 - k : k;
        const std::vector<double> before = h;
        for (std::int64_t unit = 0; unit < hidden; ++unit) {
          const auto u = static_cast<std::size_t>(unit);
          std::vector<double> of_x, of_state;
          for (std::int64_t gate = 0; gate < gates; ++gate) {
            const std::int64_t column = gate * hidden + unit;
            of_x.push_back(element(x, {t, row, column}));
            double sum = bias ? element(in[2], {column}) : 0;
            for (std::int64_t from = 0; from < hidden; ++from)
              sum += before[static_cast<std::size_t>(from)] * element(weight, {from, column});
            of_state.push_back(sum);
          }
          if (t < length) std::tie(h[u], c[u]) = step(of_x, of_state, before[u], c[u]);
          element(states, {t, row, unit}) = h[u];
          element(cells, {t, row, unit}) = c[u];
        }
      }
    }
    return cell ? Arrays{states, cells} : Arrays{states};
  }
};

Inputs inputs(const Walk& walk, std::int64_t steps, std::int64_t batch, std::int64_t hidden) {
  constexpr Domain small = {Domain::uniform, -0.1, 0.1};
  Inputs in{{{steps, batch, walk.gates * hidden}}, {{hidden, walk.gates * hidden}, small}};
  if (walk.bias) in.push_back({{walk.gates * hidden}});
  in.push_back({{batch, hidden}});
  if (walk.cell) in.push_back({{batch, hidden}});
  if (walk.lengths) in.push_back({{batch}, below(static_cast<double>(steps + 1)), i64});
  return in;
}

void add(std::vector<OpRow>& rows, const char* name, Walk walk,
         const std::function<Tensors(In in, const RecurrenceOptions& options)>& function) {
  for (const auto& [variant, reverse, lengths] : {std::tuple("", false, false),
                                                  {"lengths", false, true},
                                                  {"reverse", true, false},
                                                  {"reverse, lengths", true, true}}) {
    walk.reverse = reverse;
    walk.lengths = lengths;
    const auto of = [walk](std::int64_t steps, std::int64_t batch, std::int64_t hidden) {
      return inputs(walk, steps, batch, hidden);
    };
    rows.push_back({.name = name,
                    .variant = variant,
                    .function =
                        [=](In in) {
                          return function(in,
                                          {.reverse = walk.reverse, .lengths = walk.lengths ? in.back() : Tensor()});
                        },
                    .cases = {of(3, 2, 4), of(4, 3, 1), of(1, 1, 1), of(2, 0, 3), of(0, 2, 3)},
                    .large = {of(23, 33, 101), of(3, 2, 64)},
                    .reference = walk,
                    .f32_tolerance = 1e-4,
                    .no_single = walk.gates > 1 ? "a unit has several gates" : ""});
    rows.back().sized = [=](std::int64_t n) { return of(std::max<std::int64_t>(1, n / 8192), 32, 256); };
    rows.back().flops = [=](std::int64_t n) {
      return 2.0 * static_cast<double>(std::max<std::int64_t>(1, n / 8192) * 32 * 256 * 256 * walk.gates);
    };
  }
}

}  // namespace

void add_recurrent_rows(std::vector<OpRow>& rows) {
  using Parts = const std::vector<double>&;
  add(rows, "rnn_states",
      {.step = [](Parts x, Parts r, double, double) { return std::pair(std::tanh(x[0] + r[0]), 0.0); }},
      [](In in, const RecurrenceOptions& o) { return Tensors{rnn_states(in[0], in[1], in[2], o)}; });
  add(rows, "rnn_relu_states",
      {.step = [](Parts x, Parts r, double, double) { return std::pair(x[0] + r[0] < 0 ? 0.0 : x[0] + r[0], 0.0); }},
      [](In in, const RecurrenceOptions& o) { return Tensors{rnn_relu_states(in[0], in[1], in[2], o)}; });
  add(rows, "lstm_states",
      {.gates = 4,
       .cell = true,
       .step =
           [](Parts x, Parts r, double, double c) {
             const double cell = logistic(x[1] + r[1]) * c + logistic(x[0] + r[0]) * std::tanh(x[2] + r[2]);
             return std::pair(logistic(x[3] + r[3]) * std::tanh(cell), cell);
           }},
      [](In in, const RecurrenceOptions& o) { return lstm_states(in[0], in[1], in[2], in[3], o); });
  add(rows, "gru_states",
      {.gates = 3,
       .bias = true,
       .step =
           [](Parts x, Parts r, double h, double) {
             const double z = logistic(x[1] + r[1]);
             return std::pair((1 - z) * std::tanh(x[2] + logistic(x[0] + r[0]) * r[2]) + z * h, 0.0);
           }},
      [](In in, const RecurrenceOptions& o) { return Tensors{gru_states(in[0], in[1], in[2], in[3], o)}; });
}

}  // namespace weft::test

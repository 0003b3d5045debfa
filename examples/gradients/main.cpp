// Do shortcuts keep gradients whole? The gradient of a new net's output along its input, which turns into white noise
// with depth (Balduzzi et al., arXiv 1702.08591), and its norm layer by layer.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <weft/weft.hpp>

#include "common/statistics.hpp"
#include "common/study.hpp"

using namespace weft;
using nn::BatchNorm, nn::Linear, nn::ReLU;

namespace {

constexpr std::int64_t inputs = 256, width = 200, growth = 20;
const std::vector<std::string> kinds = {"plain", "residual", "dense", "highway", "ReZero"};

// A layer that finds `in` features: the same body in each of the five wirings.
nn::ModulePtr layer(const std::string& kind, std::int64_t in) {
  const std::int64_t out = kind == "dense" ? growth : in;
  const nn::ModulePtr body = nn::make<nn::Sequential>(BatchNorm(in), ReLU(), Linear(in, out));
  if (kind == "residual") return nn::make<nn::Residual>(body);
  if (kind == "dense") return nn::make<nn::Concat>(body);
  if (kind == "highway") return nn::make<nn::Highway>(body, in, -2.0);
  if (kind == "ReZero") return nn::make<nn::ReZero>(body);
  return body;
}

/// From a number to a number: mixtures of rectified units whose kinks lie all over the inputs, `depth` layers, and a
/// weighted sum.
struct Net : nn::Module {
  nn::Child<Linear> input{this, "input", 1, width}, mixture{this, "mixture", width, width};
  nn::Child<nn::ModuleList> layers{this, "layers"};
  nn::ModulePtr sum;  // takes what features there are at the end

  Net(const std::string& kind, int depth) {
    std::int64_t features = width;
    for (int l = 0; l < depth; ++l) {
      layers->append(layer(kind, features));
      if (kind == "dense") features += growth;
    }
    sum = nn::make<Linear>(features, 1);
    add_child("sum", sum);
    for (const auto& [name, p] : named_parameters())
      if (name.ends_with("weight") && p.rank() == 2 && !name.ends_with("gate.weight")) nn::kaiming_(p);
    const NoGrad off;
    input->bias.copy_(input->weight[0] * (4.0 * rand({width}) - 2.0));
  }

  /// What each layer gives, the input's first, and then the output.
  Tensors states(const Tensor& x) {
    Tensors all{mixture(relu(input(x)))};
    for (const auto& l : *layers) all.push_back((*l)(all.back()));
    all.push_back((*sum)(all.back()));
    return all;
  }
  Tensor forward(const Tensor& x) override { return states(x).back(); }
};

struct Gradients {
  std::vector<double> along;     // dy/dx at each input
  std::vector<double> by_layer;  // the norm of dy/d(what the layer gives), root mean square over the inputs
};

/// Of a new net. Batch norms have the statistics of the grid, as constants: no input's output depends on another's.
Gradients gradients_of(const std::string& kind, int depth, std::uint64_t seed) {
  manual_seed(seed);
  Net net(kind, depth);
  const Tensor x = parameter(reshape(linspace(-2, 2, inputs), {inputs, 1}));
  nn::update_batch_norm(net, std::vector<Tensor>{x.detach()});
  net.eval();
  Tensors of = net.states(x);
  const Tensor y = sum(of.back());
  of.back() = x;
  const Tensors g = grad(y, of);
  Gradients result;
  const Tensor along = g.back().to(f64);
  result.along.assign(along.data<double>().begin(), along.data<double>().end());
  for (std::size_t l = 0; l + 1 < g.size(); ++l)
    result.by_layer.push_back(norm(g[l]).item() / std::sqrt(static_cast<double>(inputs)));
  return result;
}

/// The sum of g(i) g(i + lag) over that of the squares, for as many inputs: 1 for what stays the same. Means are not
/// taken off: over all new nets the gradient's is 0 by symmetry, and the theory is about these products.
std::vector<double> autocorrelation(const std::vector<double>& g, std::size_t lags) {
  std::vector<double> result;
  double squares = 0;
  for (const double v : g) squares += v * v / static_cast<double>(g.size());
  for (std::size_t lag = 0; lag < lags; ++lag) {
    double products = 0;
    for (std::size_t i = 0; i + lag < g.size(); ++i) products += g[i] * g[i + lag];
    result.push_back(products / static_cast<double>(g.size() - lag) / squares);
  }
  return result;
}

// Short, as at a lag of 16 plain nets are in the noise from 4 layers on, and no rate could be fitted.
constexpr std::size_t lags = 65, lag_of_decay = 4;  // of 255 steps

/// One kind of net at one depth over all seeds.
struct Cell {
  std::vector<double> correlation = std::vector<double>(lags, 0.0);  // mean, by lag
  std::vector<double> at_lag;                                        // of each seed, at lag_of_decay
  std::vector<std::vector<double>> by_layer;                         // of each seed
};

Cell cell_of(const common::Study& study, const std::string& kind, int depth) {
  Cell cell;
  for (const std::uint64_t seed : study.all_seeds()) {
    Gradients g = gradients_of(kind, depth, seed);
    const std::vector<double> r = autocorrelation(g.along, lags);
    for (std::size_t l = 0; l < lags; ++l) cell.correlation[l] += r[l] / study.seeds;
    cell.at_lag.push_back(r[lag_of_decay]);
    cell.by_layer.push_back(std::move(g.by_layer));
  }
  return cell;
}

using Cells = std::vector<std::vector<Cell>>;  // [kind][depth]

/// The rate a of correlation = c exp(-a depth), fitted where the mean over the seeds stands out of the noise of
/// 1 / sqrt(inputs seeds) threefold. nan of fewer than two such depths.
double decay_rate(const std::vector<Cell>& of, const std::vector<int>& depths, int seeds) {
  std::vector<double> x, y;
  const double noise = 1 / std::sqrt(static_cast<double>(inputs) * seeds);
  for (std::size_t d = 0; d < depths.size(); ++d) {
    const double r = common::mean(of[d].at_lag);
    if (r < 3 * noise) break;
    x.push_back(depths[d]);
    y.push_back(std::log(r));
  }
  return x.size() < 2 ? std::nan("") : -common::fit_line(x, y).slope;
}

void draw_correlations(common::Study& study, const Cells& cells, const std::vector<int>& depths) {
  common::Figure figure;
  for (std::size_t k = 0; k < 2; ++k) {
    common::Figure one{.name = "autocorrelation",
                       .title = fmt::format("{}: dy/dx along the input", kinds[k]),
                       .x = {.label = fmt::format("lag (steps of 4/{})", inputs - 1)},
                       .y = {.label = "autocorrelation", .logarithmic = false, .from = -0.2, .to = 1},
                       .series = {}};
    for (std::size_t d = 0; d < depths.size(); d += 2) {
      common::Series series{.label = fmt::format("{} layers", depths[d]), .x = {}, .y = cells[k][d].correlation};
      for (std::size_t l = 0; l < lags; ++l) series.x.push_back(static_cast<double>(l));
      series.look = common::Series::Look::line;
      one.series.push_back(series);
    }
    k == 0 ? void(figure = one) : figure.beside.push_back(one);
  }
  study.add(figure);
}

void draw_decay(common::Study& study, const Cells& cells, const std::vector<int>& depths) {
  common::Figure figure{.name = "decay",
                        .title = fmt::format("Autocorrelation of dy/dx at a lag of {} by depth", lag_of_decay),
                        .x = {.label = "depth (layers)"},
                        .y = {.label = "autocorrelation", .logarithmic = true, .from = 0.01, .to = 1},
                        .series = {},
                        .key = "outside right"};
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    common::Series series{.label = kinds[k], .x = {}, .y = {}};
    for (std::size_t d = 0; d < depths.size(); ++d) {
      series.x.push_back(depths[d]);
      const common::Spread r(cells[k][d].at_lag);
      series.y.push_back(r.mean > 0 ? r.mean : std::nan(""));  // noise about 0 has no place on this axis
      series.low.push_back(std::max(r.mean - r.deviation, figure.y.from / 2));
      series.high.push_back(std::max(r.mean + r.deviation, figure.y.from / 2));
    }
    figure.series.push_back(series);
  }
  study.add(figure);
}

void draw_norms(common::Study& study, const Cells& cells, const std::vector<int>& depths, std::size_t d) {
  common::Figure figure{
      .name = "norms",
      .title = fmt::format("Gradient norm by layer of new nets of {} layers, and the seeds' least and "
                           "largest",
                           depths[d]),
      .x = {.label = "layer (0: of the input)"},
      .y = {.label = "norm of dy/d(layer's output)", .logarithmic = true},
      .series = {}};
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    common::Series series{.label = kinds[k], .x = {}, .y = {}, .look = common::Series::Look::line};
    for (std::size_t l = 0; l < cells[k][d].by_layer[0].size(); ++l) {
      std::vector<double> values;
      for (const auto& of : cells[k][d].by_layer) values.push_back(of[l]);
      series.x.push_back(static_cast<double>(l));
      series.y.push_back(common::mean(values));
      series.low.push_back(*std::min_element(values.begin(), values.end()));
      series.high.push_back(*std::max_element(values.begin(), values.end()));
    }
    figure.series.push_back(series);
  }
  study.add(figure);
}

void add_table(common::Study& study, const Cells& cells, const std::vector<int>& depths,
               const std::vector<double>& rates) {
  common::Table table{fmt::format("Autocorrelation of dy/dx at a lag of {} of {} steps", lag_of_decay, inputs - 1),
                      {"net"}};
  for (const int depth : depths) table.columns.push_back(fmt::format("{} layers", depth));
  table.columns.emplace_back("decay a layer");
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    std::vector<common::Cell> row{kinds[k]};
    for (const Cell& cell : cells[k]) row.emplace_back(common::Spread(cell.at_lag));
    row.emplace_back(rates[k]);
    table.add(row);
    study.more()["rate"][kinds[k]] = rates[k];
    study.more()["deepest"][kinds[k]] = common::mean(cells[k].back().at_lag);
  }
  study.add(table);
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study("gradients", "Do shortcuts keep the gradients of deep nets from shattering?",
                      "New nets of 2 to 100 layers from a number to a number: how the gradient at one input goes with "
                      "that at another, and its norm by layer.");
  study.seeds = 30;
  study.quick_seeds = 10;
  return study.run(argc, argv, [&] {
    const std::vector<int> depths = study.quick ? std::vector{2, 3, 4, 5, 6, 8, 16, 32, 64}
                                                : std::vector{2, 3, 4, 5, 6, 8, 10, 16, 24, 36, 50, 75, 100};
    set_num_threads(1);  // layers as narrow as these have nothing to share out
    Cells cells;
    nn::Progress progress("nets", static_cast<std::int64_t>(kinds.size() * depths.size()));
    for (const std::string& kind : kinds) {
      cells.emplace_back();
      for (const int depth : depths) {
        cells.back().push_back(cell_of(study, kind, depth));
        progress.update(static_cast<std::int64_t>((cells.size() - 1) * depths.size() + cells.back().size()));
      }
    }
    std::vector<double> rates;
    for (const auto& of : cells) rates.push_back(decay_rate(of, depths, study.seeds));
    add_table(study, cells, depths, rates);
    draw_correlations(study, cells, depths);
    draw_decay(study, cells, depths);
    draw_norms(study, cells, depths, depths.size() - 2);
    const double ratio = rates[0] / rates[1];
    study.more()["ratio"] = ratio;
    study.add(common::Effect{"gradients of plain nets shatter exponentially with depth, residual ones far more slowly",
                             "plain like 2^-depth, residual with batch norm like 1/sqrt(depth)",
                             fmt::format("{:.3f} against {:.4f} a layer", rates[0], rates[1]), ratio > 3});
    study.verdict(fmt::format(
        "The correlation of gradients {} steps apart falls by {:.1f} % with each layer of a plain net and by {:.1f} % "
        "with each of a residual one, at {} layers to {:.2f} and {:.2f}. {}",
        lag_of_decay, 100 * (1 - std::exp(-rates[0])), 100 * (1 - std::exp(-rates[1])), depths.back(),
        common::mean(cells[0].back().at_lag), common::mean(cells[1].back().at_lag),
        ratio > 3 ? "Shortcuts keep gradients whole." : "The difference that Balduzzi et al. found did not appear."));
  });
}

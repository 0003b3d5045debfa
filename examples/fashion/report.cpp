#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>

#include <weft/engine/error.hpp>
#include <weft/nn/train/metrics.hpp>

namespace {

std::string csv_of(const RunDir& run) { return run.dir + "/metrics.csv"; }

// A string for gnuplot: single quotes know one escape, the doubled quote.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

std::string curves(const std::vector<RunDir>& runs, const std::string& train, const std::string& test) {
  std::string text = "plot ";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::string file = quoted(csv_of(runs[i]));
    text += fmt::format("{}{} using 'epoch':'{}' with linespoints lc {} dt 3 pt 6 title {}", i == 0 ? "" : ", ", file,
                        train, i + 1, quoted(runs[i].label + " train"));
    text += fmt::format(", {} using 'epoch':'{}' with linespoints lc {} lw 2 pt 7 title {}", file, test, i + 1,
                        quoted(runs[i].label + " test"));
  }
  return text + "\n";
}

}  // namespace

void check_run(const std::string& dir) {
  const auto table = weft::nn::read_metrics(csv_of({dir, ""}));
  for (const std::string& name : metrics_columns)
    if (std::find(table.columns.begin(), table.columns.end(), name) == table.columns.end())
      weft::fail("--compare: ", csv_of({dir, ""}), " has no column ", name);
}

void print_table(const std::vector<RunDir>& runs) {
  std::size_t width = 3;
  for (const RunDir& run : runs) width = std::max(width, run.label.size());
  fmt::print("\n{:{}}  epochs  train loss  train acc.  test loss  test acc.   best  minutes\n", "run", width);
  for (const RunDir& run : runs) {
    const auto table = weft::nn::read_metrics(csv_of(run));
    if (table.rows.empty()) {
      fmt::print("{:{}}  {:>6}\n", run.label, width, 0);
      continue;
    }
    const auto& last = table.rows.back();
    const auto value = [&](const char* column) { return last[table.column(column)]; };
    double best = 0;
    for (const auto& row : table.rows) best = std::max(best, row[table.column("test_accuracy")]);
    fmt::print("{:{}}  {:6}  {:10.4f}  {:10.4f}  {:9.4f}  {:9.4f}  {:.4f}  {:7.1f}\n", run.label, width, value("epoch"),
               value("train_loss"), value("train_accuracy"), value("test_loss"), value("test_accuracy"), best,
               value("seconds") / 60);
  }
}

bool draw_curves(const std::vector<RunDir>& runs, const std::string& png) {
  double epochs = 0;
  for (const RunDir& run : runs) {
    const auto table = weft::nn::read_metrics(csv_of(run));
    if (!table.rows.empty()) epochs = std::max(epochs, table.rows.back()[table.column("epoch")]);
  }
  // The first epochs' losses may be far above the rest: the axis is logarithmic.
  // Over few epochs gnuplot would mark halves; over one it needs a range.
  const std::string axis = epochs > 20 ? "" : fmt::format("set xtics 1\nset xrange [{}:{}]\n", 0.9, epochs + 0.1);
  const std::string script = fmt::format(
      "set terminal pngcairo size 1200,500\nset output {}\nset datafile separator ','\nset grid\nset xlabel 'epoch'\n{}"
      "set key noenhanced\nset logscale y\nset multiplot layout 1,2\nset title 'loss'\n{}unset logscale y\nset title "
      "'accuracy'\nset key bottom right\n{}"
      "unset multiplot\n",
      quoted(png), axis, curves(runs, "train_loss", "test_loss"), curves(runs, "train_accuracy", "test_accuracy"));
  std::ofstream(png + ".gp") << script;
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // a missing gnuplot is no reason to die
  std::FILE* const gnuplot = popen("gnuplot 2>/dev/null", "w");
  const bool written = gnuplot != nullptr && std::fputs(script.c_str(), gnuplot) >= 0;
  const bool drawn = gnuplot != nullptr && pclose(gnuplot) == 0 && written;
  std::signal(SIGPIPE, before);
  return drawn;
}

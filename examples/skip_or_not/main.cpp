// Does a skip layer help on this regression data? A linear model, hidden units, and both are compared by nested,
// repeated cross-validation, on tables that Debian has or on one of your own: skip_or_not houses.csv --target price
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

#include <weft/weft.hpp>

#include "common/csv.hpp"
#include "common/study.hpp"
#include "false_alarms.hpp"
#include "report.hpp"
#include "tables.hpp"
#include "train.hpp"
#include "validate.hpp"

using namespace weft;

// y = skip x + out tanh(hidden x + b) + c (Bishop, Pattern Recognition and Machine Learning, section 5.1): with the
// skip layer alone a linear model, without it an MLP.
struct Net : nn::Module {
  std::optional<nn::Child<nn::Linear>> skip, hidden, out;
  nn::Param bias{this, "bias", zeros({1})};

  Net(std::int64_t inputs, bool with_skip, std::int64_t units) {
    if (with_skip) skip.emplace(this, "skip", inputs, 1, nn::LinearOptions{.bias = false});
    if (units > 0) hidden.emplace(this, "hidden", inputs, units);
    if (units > 0) out.emplace(this, "out", units, 1, nn::LinearOptions{.bias = false});
    to(f64);
  }
  Tensor forward(const Tensor& x) override {
    if (!out) return (*skip)(x) + bias;
    Tensor bent = (*out)(tanh((*hidden)(x)));
    return skip ? (*skip)(x) + bent + bias : bent + bias;
  }
};

namespace {

struct Options {
  std::string csv, target, root;
  std::int64_t folds = 5, false_alarms = 0;
};

std::vector<NamedData> find_data(const common::Study& study, const Options& options) {
  if (!options.csv.empty()) {
    const nn::Table table = common::read_table(options.csv, {.target = options.target, .least_rows = 30});
    return {{std::filesystem::path(options.csv).stem().string(),
             fmt::format("{} from {} columns", table.targets[0], table.columns.size()), table}};
  }
  if (!options.target.empty()) fail("--target needs a CSV file");
  std::vector<NamedData> all = debian_tables(options.root, study.quick);
  all.push_back(friedman(500, study.seed));
  return all;
}

void report_false_alarms(common::Study& study, const Options& options) {
  const FalseAlarms f = count_false_alarms(options.false_alarms, options.folds, 10, study.seed);
  common::Table table{
      fmt::format("{} simulated tables on which two models are equally wrong: how often is p < 0.05?", f.data_sets),
      {"test over 10 repeats of the folds", "false alarms (%)"}};
  table.add({"corrected resampled t-test", fmt::format("{:.1f}", 100 * f.corrected)});
  table.add({"plain paired t-test", fmt::format("{:.1f}", 100 * f.naive)});
  study.add(std::move(table));
  study.more()["false_alarms"] = {{"data_sets", f.data_sets}, {"corrected", f.corrected}, {"naive", f.naive}};
}

void run(common::Study& study, const Options& options) {
  const MakeNet make_net = [](std::int64_t inputs, bool skip, std::int64_t hidden) {
    return nn::make<Net>(inputs, skip, hidden);
  };
  Plan plan{.folds = options.folds,
            .seeds = study.all_seeds(),
            .grid = {{2, 6, 16}, {0.001, 0.01, 0.1}, {0.003, 0.01, 0.03}}};
  if (study.quick) plan.grid = {{3, 10}, {0.001, 0.01, 0.1}, {0.003, 0.01, 0.03}};
  std::vector<Outcome> outcomes;
  for (const NamedData& data : find_data(study, options)) {
    if (data.rows.x.size(1) <= 500)
      study.more()["distance_from_least_squares"][data.name] = distance_from_least_squares(make_net, data.rows);
    outcomes.push_back(cross_validate(data.name, data.rows, plan, make_net));
    report_models(study, outcomes.back(), data.what);
  }
  if (options.false_alarms > 0) report_false_alarms(study, options);
  report_families(study, outcomes);
}

}  // namespace

int main(int argc, char** argv) {
  common::Study study("skip_or_not", "Does a skip layer help on this regression data?",
                      "Compares a linear model, hidden units, and hidden units beside a skip layer by nested, repeated "
                      "cross-validation; hidden widths and penalties are chosen in an inner loop. One seed is one "
                      "repeat of the folds.");
  study.seeds = 10;
  study.quick_seeds = 2;
  Options options;
  study.app().add_option("csv", options.csv, "a table: numbers under a line of names, commas or semicolons between");
  study.app().add_option("--target", options.target, "the column to predict [the last]");
  study.app().add_option("--folds", options.folds, "parts of the outer cross-validation")->check(CLI::Range(2, 20));
  auto* const alarms = study.app()
                           .add_option("--false-alarms", options.false_alarms,
                                       "simulated tables to test the test on, 0: none [1000, quick 200]")
                           ->check(CLI::Range(0, 1000000));
  study.app().add_option("--root", options.root, "where Debian's packages are unpacked, if not at /");
  return study.run(argc, argv, [&] {
    if (alarms->count() == 0) options.false_alarms = study.quick ? 200 : 1000;
    run(study, options);
  });
}

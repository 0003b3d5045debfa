#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using common::Comparison;

namespace {

// Data is called essentially linear if so much of the fitted function's variance is, and the interval of what hidden
// units gain does not reach to so much of the linear model's error.
constexpr double mostly = 0.9, relevant = 0.1;

double percent(double difference, double of) { return 100 * difference / of; }
double mean_error(const Outcome& outcome, std::size_t family) { return common::mean(outcome.family_errors[family]); }
std::string p_text(double p) { return p < 0.0005 ? "p < 0.001" : fmt::format("p = {:.3f}", p); }

// "7 % less error than MLP (p = 0.004)".
std::string change_text(const Outcome& outcome, Family a, Family b, const std::string& than) {
  const Comparison c = outcome.compare(a, b);
  const double change = percent(c.difference, mean_error(outcome, b));
  return fmt::format("{:.2g} % {} error than {} ({})", std::abs(change), change < 0 ? "less" : "more", than,
                     p_text(c.p));
}

std::string interval_text(const Outcome& outcome, Family a, Family b) {
  const Comparison c = outcome.compare(a, b);
  const double base = mean_error(outcome, b);
  return fmt::format("{:+.1f} %, 95 % interval {:+.1f} to {:+.1f} %", percent(c.difference, base), percent(c.low, base),
                     percent(c.high, base));
}

bool better(const Outcome& o, Family a, Family b) {
  return o.compare(a, b).significant() && o.compare(a, b).difference < 0;
}

std::string about_hidden_units(const Outcome& o) {
  const Family net = mean_error(o, both) < mean_error(o, mlp) ? both : mlp;
  const auto change = [&] {
    return std::string(families[net]) + " has " + change_text(o, net, linear, "the linear model");
  };
  if (better(o, net, linear)) return "hidden units help: " + change();
  if (better(o, linear, net)) return "hidden units hurt, keep the linear model: " + change();
  const std::string interval = fmt::format("{} beside linear: {}", families[net], interval_text(o, net, linear));
  const double share = common::mean(o.linear_shares[both]);
  const bool no_gain = o.compare(net, linear).low > -relevant * mean_error(o, linear);
  if (share >= mostly && no_gain)  // a share that is nan is not enough either
    return fmt::format(
        "this data is essentially linear, keep the linear model: {:.0f} % of the fitted function's variance "
        "is linear ({})",
        100 * share, interval);
  return "hidden units: no difference that this many rows can show, so keep the linear model (" + interval + ")";
}

std::string about_skip_layer(const Outcome& o) {
  const auto change = [&] { return change_text(o, both, mlp, "hidden units alone"); };
  if (better(o, both, mlp)) return "the skip layer helps: " + change();
  if (better(o, mlp, both)) return "the skip layer hurts: " + change();
  return "the skip layer: no difference that this many rows can show (" + interval_text(o, both, mlp) + ")";
}

std::string count_text(const std::vector<Outcome>& outcomes, Family a, Family b) {
  const auto count = [&](Family x, Family y) {
    return std::count_if(outcomes.begin(), outcomes.end(), [&](const Outcome& o) { return better(o, x, y); });
  };
  return fmt::format("helps on {} of {} tables and hurts on {}", count(a, b), outcomes.size(), count(b, a));
}

common::Figure diagonal(const std::string& title, const std::string& x, const std::string& y, std::vector<double> xs,
                        std::vector<double> ys) {
  const auto [low, high] = std::minmax_element(xs.begin(), xs.end());
  const std::vector<double> ends = {*low, *high};
  return {.name = {},
          .title = title,
          .x = {.label = x},
          .y = {.label = y},
          .series = {{.label = "rows", .x = std::move(xs), .y = std::move(ys), .look = common::Series::Look::points},
                     {.label = "exact", .x = ends, .y = ends, .look = common::Series::Look::line}},
          .key = "bottom right"};
}

// Where points lie along the diagonal, the part explains what is on the other axis.
common::Figure parts_picture(const Outcome& o) {
  std::vector<double> rest_predicted, rest_actual;
  for (std::size_t i = 0; i < o.actual.size(); ++i) {
    rest_predicted.push_back(o.predicted[i] - o.linear_part[i]);
    rest_actual.push_back(o.actual[i] - o.linear_part[i]);
  }
  common::Figure figure = diagonal(o.name + ": the whole of MLP + skip", "predicted, rows held out (target's units)",
                                   "actual (target's units)", o.predicted, o.actual);
  figure.name = o.name;
  figure.beside = {diagonal("its linear part", "linear part of the prediction", "actual", o.linear_part, o.actual),
                   diagonal("its nonlinear part", "nonlinear part of the prediction", "actual less linear part",
                            rest_predicted, rest_actual)};
  return figure;
}

common::Figure differences_picture(const std::vector<Outcome>& outcomes) {
  common::Figure figure{.name = "differences",
                        .title = "Test error beside another model's: below 0 is better (95 % intervals)",
                        .x = {.label = ""},
                        .y = {.label = "difference in test error (%)"},
                        .series = {},
                        .level_lines = {0},
                        .key = "outside below"};
  const auto add = [&](const std::string& label, Family a, Family b, double shift) {
    common::Series s{.label = label, .x = {}, .y = {}, .look = common::Series::Look::points};
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const Comparison c = outcomes[i].compare(a, b);
      const double base = mean_error(outcomes[i], b);
      s.x.push_back(static_cast<double>(i) + shift);
      s.y.push_back(percent(c.difference, base));
      s.low.push_back(percent(c.low, base));
      s.high.push_back(percent(c.high, base));
    }
    figure.series.push_back(std::move(s));
  };
  add("MLP + skip beside MLP", both, mlp, -0.15);
  add("MLP + skip beside linear", both, linear, 0);
  add("MLP beside linear", mlp, linear, 0.15);
  for (const Outcome& o : outcomes) figure.x_names.push_back(fmt::format("{}, {} rows", o.name, o.rows));
  return figure;
}

}  // namespace

void report_models(common::Study& study, const Outcome& o, const std::string& what) {
  common::Table table{fmt::format("{}: {} ({} rows, {} inputs)", o.name, what, o.rows, o.inputs),
                      {"model", "test error (variances of the target)", "weights exactly 0 (%)"}};
  const auto row = [](const std::vector<double>& values, double factor) {
    return common::Cell(
        fmt::format("{:.3f} ± {:.3f}", factor * common::mean(values), factor * common::standard_deviation(values)));
  };
  for (std::size_t m = 0; m < models.size(); ++m)
    table.add({models[m].name, row(o.errors[m], 1), fmt::format("{:.0f}", 100 * common::mean(o.zeros[m]))});
  study.add(std::move(table));
  common::Table pairs{o.name + ": the skip layer by penalty", {"penalty", "difference of test error", "95 %", "p"}};
  for (const std::size_t l1 : {0U, 1U}) {
    const Comparison c = o.compare_models(4 + l1, 2 + l1);
    pairs.add({l1 == 0 ? "L2" : "L1", fmt::format("{:+.4f}", c.difference),
               fmt::format("{:+.4f} to {:+.4f}", c.low, c.high), fmt::format("{:.3f}", c.p)});
  }
  study.add(std::move(pairs));
  study.add(parts_picture(o));
}

void report_families(common::Study& study, const std::vector<Outcome>& outcomes) {
  common::Table errors{"Penalty chosen in the inner loop too: test error, and how linear the fitted function is",
                       {"data", "linear", "MLP", "MLP + skip", "linear share of MLP (%)", "of MLP + skip (%)"}};
  common::Table tests{"Differences of test error, by the corrected resampled t-test",
                      {"data", "models", "difference (%)", "95 % interval", "p"}};
  for (const Outcome& o : outcomes) {
    const auto share = [&](Family f) {
      const double mean = common::mean(o.linear_shares[f]);
      return common::Cell(std::isnan(mean) ? "-" : fmt::format("{:.1f}", 100 * mean));
    };
    errors.add({o.name, fmt::format("{:.3f}", mean_error(o, linear)), fmt::format("{:.3f}", mean_error(o, mlp)),
                fmt::format("{:.3f}", mean_error(o, both)), share(mlp), share(both)});
    for (const auto& [a, b] : {std::pair{both, mlp}, std::pair{both, linear}, std::pair{mlp, linear}}) {
      const Comparison c = o.compare(a, b);
      const double base = mean_error(o, b);
      tests.add({o.name, fmt::format("{} beside {}", families[a], families[b]),
                 fmt::format("{:+.1f}", percent(c.difference, base)),
                 fmt::format("{:+.1f} to {:+.1f}", percent(c.low, base), percent(c.high, base)),
                 c.p < 0.0001 ? "< 0.0001" : fmt::format("{:.4f}", c.p)});
      study.more()["comparisons"][o.name][fmt::format("{} - {}", families[a], families[b])] = {
          {"difference", c.difference},
          {"low", c.low},
          {"high", c.high},
          {"p", c.p},
          {"relative", c.difference / base}};
    }
    for (std::size_t f = 0; f < families.size(); ++f) {
      study.more()["errors"][o.name][families[f]] = o.family_errors[f];
      study.more()["linear_share"][o.name][families[f]] = common::mean(o.linear_shares[f]);
    }
    study.more()["verdicts"][o.name] = {{"hidden units", about_hidden_units(o)}, {"skip layer", about_skip_layer(o)}};
  }
  study.add(std::move(errors));
  study.add(std::move(tests));
  study.add(differences_picture(outcomes));
  std::string text = fmt::format("The skip layer {}.", count_text(outcomes, both, mlp));
  for (const Outcome& o : outcomes)
    text += fmt::format(" {} ({} rows): {}; {}.", o.name, o.rows, about_hidden_units(o), about_skip_layer(o));
  study.verdict(text);
}

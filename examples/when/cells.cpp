#include "cells.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

using common::Comparison;

namespace {

// Where the skip layer makes it less, or more, or where no difference is shown.
struct Counts {
  int helps = 0, hurts = 0, open = 0, neither = 0;
  void add(const Comparison& c) { ++(!c.significant() ? open : c.difference < 0 ? helps : hurts); }
  int all() const { return helps + hurts + open + neither; }
};

double percent(const Comparison& c) { return 100 * std::expm1(c.difference); }
// A cell far off would leave no colour to the others.
double colour(const Comparison& c) { return std::min(percent(c), 100.0); }

std::size_t unreached(const std::vector<double>& steps, int most) {
  return static_cast<std::size_t>(std::count(steps.begin(), steps.end(), static_cast<double>(most)));
}
// Neither net got there, with no seed.
bool is_empty(const Cell& cell, int most) {
  return unreached(cell.mlp_steps, most) == cell.mlp_steps.size() &&
         unreached(cell.skip_steps, most) == cell.skip_steps.size();
}

std::string text_of(const Comparison& c) { return fmt::format("{:+.0f}{}", percent(c), c.significant() ? "*" : ""); }

struct Maps {
  common::HeatMap error, steps;
};

Maps empty_maps(const Grid& grid, double noise, std::int64_t hidden, double reach) {
  const std::string setting = fmt::format("noise {:g}, {} hidden units", noise, hidden);
  common::HeatMap map{.name = fmt::format("error_noise{:g}_hidden{}", noise, hidden),
                      .title = "Test error of MLP + skip beside MLP: " + setting + " (* p < 0.05)",
                      .x_label = "rows to learn from",
                      .y_label = "linear share of the variance",
                      .value_label = "difference (%), at most 100",
                      .x_names = {},
                      .y_names = {},
                      .values = {},
                      .text = {},
                      .around_zero = true};
  for (const std::int64_t rows : grid.rows) map.x_names.push_back(std::to_string(rows));
  for (const double share : grid.shares) map.y_names.push_back(fmt::format("{:g}", share));
  Maps maps{map, map};
  maps.steps.name = fmt::format("steps_noise{:g}_hidden{}", noise, hidden);
  maps.steps.title =
      fmt::format("Steps to a training error {:g} above the noise: {} (! not always reached)", reach, setting);
  return maps;
}

// The maps' rows of cells, share by share; cells come in this order.
Maps maps_of(const Grid& grid, double noise, std::int64_t hidden, const std::vector<Cell>& cells, double reach,
             int most) {
  Maps maps = empty_maps(grid, noise, hidden, reach);
  for (const double share : grid.shares) {
    std::array<std::vector<double>, 2> values;
    std::array<std::vector<std::string>, 2> texts;
    for (const Cell& cell : cells) {
      if (cell.noise != noise || cell.hidden != hidden || cell.share != share) continue;
      const Comparison error = compare(cell.mlp_error, cell.skip_error),
                       steps = compare(cell.mlp_steps, cell.skip_steps);
      values[0].push_back(colour(error));
      texts[0].push_back(text_of(error));
      const bool empty = is_empty(cell, most);
      const bool all = unreached(cell.mlp_steps, most) + unreached(cell.skip_steps, most) == 0;
      values[1].push_back(empty ? std::numeric_limits<double>::quiet_NaN() : colour(steps));
      texts[1].push_back(empty ? "neither" : text_of(steps) + (all ? "" : "!"));
    }
    maps.error.values.push_back(values[0]), maps.error.text.push_back(texts[0]);
    maps.steps.values.push_back(values[1]), maps.steps.text.push_back(texts[1]);
  }
  return maps;
}

nlohmann::json json_of(const Cell& cell) {
  const auto difference = [](const std::vector<double>& mlp, const std::vector<double>& skip) {
    const Comparison c = compare(mlp, skip);
    return nlohmann::json{{"percent", percent(c)}, {"p", c.p}, {"mlp", mlp}, {"skip", skip}};
  };
  return {{"rows", cell.rows},
          {"hidden", cell.hidden},
          {"share", cell.share},
          {"noise", cell.noise},
          {"error", difference(cell.mlp_error, cell.skip_error)},
          {"steps", difference(cell.mlp_steps, cell.skip_steps)}};
}

std::string text_of(const Counts& c) {
  std::string text = fmt::format("helps in {} of {} cells, hurts in {}, and in {} no difference is shown", c.helps,
                                 c.all(), c.hurts, c.open);
  if (c.neither > 0) text += fmt::format(" ({} more: neither net got there)", c.neither);
  return text;
}

// Of the shares at which it helps (or hurts) in more than half of the cells.
std::string shares_where(const Grid& grid, const std::vector<Counts>& counts, int Counts::*of) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (2 * (counts[i].*of) > counts[i].all()) text += fmt::format("{}{:g}", text.empty() ? "" : ", ", grid.shares[i]);
  return text.empty() ? "at no linear share" : "at linear share " + text;
}

std::string sentence(const Grid& grid, const std::string& what, const std::vector<Counts>& counts,
                     const Counts& total) {
  return fmt::format("{}: the skip layer {}; it helps in most cells {}, and hurts in most {}.", what, text_of(total),
                     shares_where(grid, counts, &Counts::helps), shares_where(grid, counts, &Counts::hurts));
}

}  // namespace

Comparison compare(const std::vector<double>& first, const std::vector<double>& second) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.size(); ++i) differences.push_back(std::log(second[i]) - std::log(first[i]));
  return common::paired(differences);
}

void report(common::Study& study, const Grid& grid, const std::vector<Cell>& cells, double reach, int most_steps) {
  for (const double noise : grid.noises)
    for (const std::int64_t hidden : grid.hidden) {
      const Maps maps = maps_of(grid, noise, hidden, cells, reach, most_steps);
      study.add(maps.error);
      study.add(maps.steps);
    }
  common::Table table{
      "Cells in which the skip layer makes a difference (paired over the seeds, p < 0.05)",
      {"linear share", "less error", "more error", "neither", "fewer steps", "more steps", "neither", "not reached"}};
  std::vector<Counts> errors, steps;
  Counts all_errors, all_steps;
  study.more()["cells"] = nlohmann::json::array();
  for (const double share : grid.shares) {
    Counts e, s;
    for (const Cell& cell : cells) {
      if (cell.share != share) continue;
      const Comparison error = compare(cell.mlp_error, cell.skip_error);
      const Comparison to_reach = compare(cell.mlp_steps, cell.skip_steps);
      e.add(error), all_errors.add(error);
      if (is_empty(cell, most_steps))
        ++s.neither, ++all_steps.neither;
      else
        s.add(to_reach), all_steps.add(to_reach);
      study.more()["cells"].push_back(json_of(cell));
    }
    table.add({fmt::format("{:g}", share), e.helps, e.hurts, e.open, s.helps, s.hurts, s.open, s.neither});
    errors.push_back(e), steps.push_back(s);
  }
  study.add(std::move(table));
  study.verdict(fmt::format("{} {} By chance alone about {:.1f} of {} cells would be called different.",
                            sentence(grid, "Test error", errors, all_errors),
                            sentence(grid, "Steps of training", steps, all_steps),
                            0.05 * static_cast<double>(all_errors.all()), all_errors.all()));
}

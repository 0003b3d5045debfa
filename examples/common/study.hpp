#pragma once
// What all studies share: their command line, the table, the pictures, the verdict and result.json.
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "figure.hpp"

namespace CLI {
class App;
}

namespace common {

/// A value over the seeds, shown as mean +- standard deviation; of one seed as it is.
struct Spread {
  double mean = 0, deviation = 0;
  std::vector<double> values = {};       ///< one a seed
  Spread(double value) : mean(value) {}  // NOLINT(google-explicit-constructor): a table's cell
  explicit Spread(const std::vector<double>& of);
};

/// A line or points with what lies within a standard deviation of the means.
Series with_spread(std::string label, std::vector<double> x, const std::vector<Spread>& y,
                   Series::Look look = Series::Look::line_and_points);

/// A cell of a table: words, a whole number, or a value with its spread.
struct Cell {
  nlohmann::json value;
  std::string text;
  Cell(const char* words) : value(words), text(words) {}         // NOLINT(google-explicit-constructor)
  Cell(const std::string& words) : value(words), text(words) {}  // NOLINT(google-explicit-constructor)
  Cell(int number) : Cell(std::int64_t{number}) {}               // NOLINT(google-explicit-constructor)
  Cell(std::int64_t number);                                     // NOLINT(google-explicit-constructor)
  Cell(double number) : Cell(Spread(number)) {}                  // NOLINT(google-explicit-constructor)
  Cell(const Spread& spread);                                    // NOLINT(google-explicit-constructor)
};

struct Table {
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows = {};
  void add(std::vector<Cell> row) { rows.push_back(std::move(row)); }
};

/// A published effect, and what of it was seen here, for the table of effects.
struct Effect {
  std::string claim, published, here;
  bool appeared;
};

/// A program that answers one question. main is
///   int main(int argc, char** argv) {
///     common::Study study("prune", "Does L1 ...?", "How it goes about it.");
///     return study.run(argc, argv, [&] { ... study.add(table); study.verdict("..."); });
///   }
class Study {
 public:
  /// The question is one sentence; `about` says how it is answered.
  Study(std::string name, std::string question, std::string about);
  ~Study();
  Study(const Study&) = delete;
  Study& operator=(const Study&) = delete;

  // ---- settings, read by run() ----
  bool quick = false;      ///< --quick: under two minutes on two cores
  std::uint64_t seed = 1;  ///< --seed: the first one
  int seeds = 5;           ///< --seeds: how many; set before run(), these are the defaults
  int quick_seeds = 3;     ///< how many in quick mode, unless --seeds says
  std::string out;         ///< --out: the directory [build/lab/NAME]
  /// For options of the study's own: study.app().add_option("--rows", rows, "rows of data").
  CLI::App& app();
  /// seed, seed + 1, ...
  std::vector<std::uint64_t> all_seeds() const;

  // ---- results ----
  void add(Table table);
  /// Draws it into the directory; without gnuplot a line on stderr says so, and the study goes on.
  void add(const Figure& figure);
  void add(const HeatMap& map);
  void add(const Contours& contours);
  void add(Effect effect);
  /// The answer in words, made from the figures of this run.
  void verdict(const std::string& text);
  /// More for result.json, under "more".
  nlohmann::json& more() { return more_; }

  /// Reads the command line, calls `work`, prints the tables and the verdict and writes DIR/result.json (aside, and
  /// renamed). Gives what main is to return: 0, or 1 after one line on stderr.
  int run(int argc, char** argv, const std::function<void()>& work);

 private:
  template <class Picture>
  void draw_and_note(const Picture& picture);
  nlohmann::json result() const;
  void write() const;

  std::string name_, question_;
  std::unique_ptr<CLI::App> app_;
  std::chrono::steady_clock::time_point start_;
  std::vector<Table> tables_;
  std::vector<std::pair<std::string, std::string>> pictures_;  // names and titles
  std::vector<Effect> effects_;
  std::string verdict_;
  nlohmann::json settings_, more_;
};

}  // namespace common

#pragma once
// Numbers of a training run, a row an epoch or so, in a file that other programs read.
#include <weft/nn/train/event_file.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace weft::nn {

/// A table of numbers with named columns.
struct MetricsTable {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;
  /// Number of a column; throws Error if there is none of that name.
  std::size_t column(const std::string& name) const;
};

/// Reads what Metrics wrote, at most so many rows; null in JSON lines comes back as nan. Throws Error if the file is
/// missing, or a row that is read does not fit the columns.
MetricsTable read_metrics(const std::string& path, std::size_t rows = std::numeric_limits<std::size_t>::max());

struct MetricsOptions {
  std::size_t keep = 0;     ///< rows of the file that stay: of a run that is taken up again
  std::string events = {};  ///< directory for an EventFile of the same numbers, made if need be; empty: none
};

/// Writes rows of numbers, each at once: CSV with a header line, or JSON lines if the path ends in .jsonl.
///
/// With `.events = "runs/a"` each row becomes points of curves in TensorBoard, too: the first column is the step, every
/// other column a scalar under its name. `keep` then begins a new event file at the step after the last row that stays:
/// what older files of that directory have from there on no longer counts (see EventFile); with none kept, that is all.
class Metrics {
 public:
  /// Starts the file anew; of one with these columns the first `keep` rows stay.
  Metrics(std::string path, std::vector<std::string> columns, std::size_t keep = 0);
  Metrics(std::string path, std::vector<std::string> columns, MetricsOptions options);
  /// One value a column. Throws Error on another number of values, or if a file cannot be written; with event files
  /// also if the first is no whole number from 0.
  void add(const std::vector<double>& values);
  /// The same for numbers of any type: add(epoch, loss, accuracy).
  template <class... Numbers>
    requires(sizeof...(Numbers) > 0 && (std::is_arithmetic_v<Numbers> && ...))
  void add(Numbers... values) { add(std::vector<double>{static_cast<double>(values)...}); }

  /// Where histograms, pictures and the graph of the run go. Throws Error unless Metrics was given `.events`.
  EventFile& events() const;

 private:
  std::string line(const std::vector<double>& values) const;
  std::int64_t step(const std::vector<double>& values) const;
  std::string path_;
  std::vector<std::string> columns_;
  bool json_;
  std::shared_ptr<EventFile> events_;  // null: none
};

}  // namespace weft::nn

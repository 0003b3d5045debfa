#pragma once
// Numbers of a training run, a row an epoch or so, in a file that other programs read.
#include <cstddef>
#include <limits>
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

/// Writes rows of numbers, each at once: CSV with a header line, or JSON lines if the path ends in .jsonl.
class Metrics {
 public:
  /// Starts the file anew; of one with these columns the first `keep` rows stay (a run that is taken up again).
  Metrics(std::string path, std::vector<std::string> columns, std::size_t keep = 0);
  /// One value a column. Throws Error on another number of values, or if the file cannot be written.
  void add(const std::vector<double>& values);
  /// The same for numbers of any type: add(epoch, loss, accuracy).
  template <class... Numbers>
    requires(sizeof...(Numbers) > 0 && (std::is_arithmetic_v<Numbers> && ...))
  void add(Numbers... values) { add(std::vector<double>{static_cast<double>(values)...}); }

 private:
  std::string line(const std::vector<double>& values) const;
  std::string path_;
  std::vector<std::string> columns_;
  bool json_;
};

}  // namespace weft::nn

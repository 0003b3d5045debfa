#include <weft/nn/train/metrics.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include <weft/engine/detail/output_file.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/files.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/nn/files/detail/input_file.hpp>

namespace weft::nn {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    cells.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells;
}

std::vector<double> csv_row(const std::string& where, const std::string& line) {
  std::vector<double> row;
  for (const std::string& cell : cells_of(line)) {
    double value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size())
      fail(where, ": ", detail::in_quotes(cell), " is not a number");
    row.push_back(value);
  }
  return row;
}

// The first line also says what the columns are.
std::vector<double> json_row(const std::string& where, const std::string& line, MetricsTable& table) {
  const auto object = nlohmann::ordered_json::parse(line, nullptr, false);
  if (!object.is_object()) fail(where, " is not a JSON object");
  std::vector<std::string> columns;
  std::vector<double> row;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_number() && !value.is_null()) fail(where, ": ", detail::in_quotes(name), " is not a number");
    columns.push_back(name);
    row.push_back(value.is_null() ? std::nan("") : value.get<double>());
  }
  if (table.rows.empty()) table.columns = columns;
  if (columns != table.columns) fail(where, " has other columns than the first");
  return row;
}

bool is_json(const std::string& path) { return path.ends_with(".jsonl"); }

std::string header_line(const std::vector<std::string>& columns) {
  return fmt::format("{}\n", fmt::join(columns, ","));
}

}  // namespace

std::size_t MetricsTable::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) fail("metrics: there is no column ", detail::in_quotes(name));
  return static_cast<std::size_t>(found - columns.begin());
}

MetricsTable read_metrics(const std::string& path, std::size_t rows) {
  std::ifstream file(path);
  if (!file) fail("read_metrics: cannot read ", path);
  const bool json = is_json(path);
  MetricsTable table;
  std::string line;
  std::size_t number = 1;
  if (!json) {
    if (!std::getline(file, line)) fail("read_metrics: ", path, " is empty");
    table.columns = cells_of(line);
    ++number;
  }
  for (; table.rows.size() < rows && std::getline(file, line); ++number) {
    const std::string where = fmt::format("read_metrics: {} line {}", path, number);
    auto row = json ? json_row(where, line, table) : csv_row(where, line);
    if (row.size() != table.columns.size()) fail(where, " has ", row.size(), " values, needs ", table.columns.size());
    table.rows.push_back(std::move(row));
  }
  return table;
}

Metrics::Metrics(std::string path, std::vector<std::string> columns, std::size_t keep)
    : Metrics(std::move(path), std::move(columns), MetricsOptions{.keep = keep}) {}

Metrics::Metrics(std::string path, std::vector<std::string> columns, MetricsOptions options)
    : path_(std::move(path)), columns_(std::move(columns)), json_(is_json(path_)) {
  if (columns_.empty()) fail("Metrics: got no columns, needs at least one");
  for (const std::string& name : columns_)
    if (name.empty() || name.find_first_of(",\"\\\n\r") != std::string::npos)
      fail("Metrics: got column name ", detail::in_quotes(name), ", needs one without commas, quotes and line ends");
  std::string text = json_ ? std::string() : header_line(columns_);
  std::int64_t first_step = 0;
  if (options.keep > 0 && writes_files() && detail::file_exists(path_)) {
    // What follows may be half a row: the run may have been ended while it wrote.
    const MetricsTable before = read_metrics(path_, options.keep);
    if (before.columns != columns_ && !(json_ && before.rows.empty()))
      fail("Metrics: ", path_, " has other columns, needs ", fmt::format("{}", fmt::join(columns_, ",")));
    for (const auto& row : before.rows) text += line(row);
    if (!options.events.empty() && !before.rows.empty()) first_step = step(before.rows.back()) + 1;
  }
  std::error_code ignored;  // EventFile says it better, but the rows may be to go there too
  if (!options.events.empty() && writes_files()) std::filesystem::create_directories(options.events, ignored);
  detail::OutputFile file("Metrics", path_);
  file.write(text.data(), text.size());
  if (!options.events.empty()) events_ = std::make_shared<EventFile>(options.events, first_step);
  file.commit();
}

void Metrics::add(const std::vector<double>& values) {
  if (values.size() != columns_.size()) fail("Metrics: got ", values.size(), " values, needs ", columns_.size());
  const std::int64_t at = events_ ? step(values) : 0;
  if (!writes_files()) return;
  std::ofstream file(path_, std::ios::app);
  file << line(values) << std::flush;
  if (!file) fail("Metrics: cannot write ", path_);
  if (events_)
    for (std::size_t i = 1; i < values.size(); ++i) events_->scalar(columns_[i], at, values[i]);
}

EventFile& Metrics::events() const {
  if (!events_) fail("Metrics: has no event file, needs the option .events");
  return *events_;
}

std::int64_t Metrics::step(const std::vector<double>& values) const {
  const double first = values.front();
  if (!(first >= 0 && first < 0x1p53 && first == std::floor(first)))
    fail("Metrics: got ", first, " in the first column, needs a whole number from 0, the step of the event file");
  return static_cast<std::int64_t>(first);
}

std::string Metrics::line(const std::vector<double>& values) const {
  if (!json_) return fmt::format("{}\n", fmt::join(values, ","));
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i)
    text += fmt::format("{}\"{}\": {}", i == 0 ? "{" : ", ", columns_[i],
                        std::isfinite(values[i]) ? fmt::format("{}", values[i]) : "null");
  return text + "}\n";
}

}  // namespace weft::nn

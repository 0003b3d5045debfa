#include <weft/nn/metrics.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include <weft/engine/error.hpp>
#include <weft/nn/input_file.hpp>
#include <weft/nn/output_file.hpp>

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

std::string header_line(const std::vector<std::string>& columns) {
  return fmt::format("{}\n", fmt::join(columns, ","));
}

}  // namespace

std::size_t MetricsTable::column(const std::string& name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) fail("metrics: there is no column ", name);
  return static_cast<std::size_t>(found - columns.begin());
}

MetricsTable read_metrics(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) fail("read_metrics: cannot read ", path);
  MetricsTable table;
  table.columns = cells_of(line);
  for (std::size_t number = 2; std::getline(file, line); ++number) {
    std::vector<double> row;
    for (const std::string& cell : cells_of(line)) {
      double value = 0;
      const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
      if (error != std::errc() || end != cell.data() + cell.size())
        fail("read_metrics: ", path, " line ", number, ": \"", cell, "\" is not a number");
      row.push_back(value);
    }
    if (row.size() != table.columns.size())
      fail("read_metrics: ", path, " line ", number, " has ", row.size(), " values, needs ", table.columns.size());
    table.rows.push_back(std::move(row));
  }
  return table;
}

Metrics::Metrics(std::string path, std::vector<std::string> columns, std::size_t keep)
    : path_(std::move(path)), columns_(std::move(columns)), json_(path_.ends_with(".jsonl")) {
  if (columns_.empty()) fail("Metrics: got no columns, needs at least one");
  for (const std::string& name : columns_)
    if (name.empty() || name.find_first_of(",\"\\\n\r") != std::string::npos)
      fail("Metrics: got column name \"", name, "\", needs one without commas, quotes and line ends");
  std::string text = json_ ? std::string() : header_line(columns_);
  if (keep > 0 && !json_ && detail::file_exists(path_)) {
    const MetricsTable before = read_metrics(path_);
    if (before.columns != columns_)
      fail("Metrics: ", path_, " has other columns, needs ", fmt::format("{}", fmt::join(columns_, ",")));
    for (std::size_t i = 0; i < std::min(keep, before.rows.size()); ++i) text += line(before.rows[i]);
  }
  detail::OutputFile file("Metrics", path_);
  file.write(text.data(), text.size());
  file.commit();
}

void Metrics::add(const std::vector<double>& values) {
  if (values.size() != columns_.size()) fail("Metrics: got ", values.size(), " values, needs ", columns_.size());
  std::ofstream file(path_, std::ios::app);
  file << line(values) << std::flush;
  if (!file) fail("Metrics: cannot write ", path_);
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

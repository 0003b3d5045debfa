#include "csv.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace common {
namespace {

using weft::fail;

// What a first pass over the file finds, which keeps nothing but the first line.
struct Outline {
  std::string header;
  std::int64_t bytes = 0, lines = 0;
};

Outline outline_of(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) fail("cannot read ", path, ": ", std::strerror(errno));
  if (!S_ISREG(info.st_mode)) fail(path, " is not a file");
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) fail("cannot read ", path, ": ", std::strerror(errno));
  Outline result;
  std::vector<char> buffer(std::size_t{1} << 18);
  std::int64_t feeds = 0, returns = 0;  // lines end in either or both
  for (int got = 0; (got = gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
    const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    if (feeds + returns == 0) result.header += text.substr(0, text.find_first_of("\r\n"));
    if (std::ssize(result.header) > 200 * most_columns)
      fail(path, " line 1 is longer than ", 200 * most_columns, " bytes, needs at most ", most_columns, " columns");
    feeds += std::count(text.begin(), text.end(), '\n');
    returns += std::count(text.begin(), text.end(), '\r');
    result.lines = std::max(feeds, returns);
    result.bytes += got;
    if (result.bytes > most_megabytes << 20)
      fail(path, " is larger than ", most_megabytes, " MiB (unpacked), the most that is read");
  }
  int code = Z_OK;
  gzerror(file.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END) fail(path, " is damaged or cut short");
  return result;
}

char separator_of(const std::string& header) {
  const auto count = [&](char c) { return std::count(header.begin(), header.end(), c); };
  const char* const all = ",;\t";
  return *std::max_element(all, all + 3, [&](char a, char b) { return count(a) < count(b); });
}

bool is_number(const std::string& text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size();
}

// The names in the first line, without the quotes around them.
std::vector<std::string> names_in(const std::string& header, char separator) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  std::vector<std::string> names(1);
  bool quoted = false;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const char c = header[i];
    std::string& name = names.back();
    if (c == '"' && quoted && header.substr(i + 1, 1) == "\"")
      name += header[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == separator && !quoted)
      names.emplace_back();
    else if (quoted || !is_space(c) || !name.empty())
      name += c;
  }
  for (std::string& name : names)
    while (!name.empty() && is_space(name.back())) name.pop_back();
  return names;
}

// The library's message without what its caller could do.
std::string for_users(std::string message) {
  const std::string prefix = "read_csv: ", option = ", a missing value";
  if (message.rfind(prefix, 0) == 0) message.erase(0, prefix.size());
  const auto at = message.find(option);
  return at == std::string::npos ? message : message.substr(0, at) + ", needs a number";
}

void check_column(const std::string& path, const weft::Tensor& values, std::int64_t column, const std::string& name) {
  const std::int64_t rows = values.size(0), columns = values.size(1);
  const auto all = values.data<double>();
  const auto at = [&](std::int64_t row) { return all[static_cast<std::size_t>(row * columns + column)]; };
  bool constant = true;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (!std::isfinite(at(row)))
      fail(path, " row ", row + 1, " of the data, column \"", name, "\": got ", at(row), ", needs a finite number");
    constant = constant && at(row) == at(0);
  }
  if (constant) fail(path, " column \"", name, "\" is constant: ", at(0), " in every row");
}

}  // namespace

weft::nn::Table read_table(const std::string& path, const TableOptions& options) {
  const Outline outline = outline_of(path);
  if (outline.bytes == 0) fail(path, " is empty, needs a header");
  const char separator = separator_of(outline.header);
  const std::vector<std::string> names = names_in(outline.header, separator);
  const std::int64_t columns = std::ssize(names);
  if (columns > most_columns) fail(path, " line 1 has ", columns, " columns, at most ", most_columns, " are read");
  if (columns < 2) fail(path, " line 1 has one column, needs inputs and a target, with commas or semicolons between");
  if (std::all_of(names.begin(), names.end(), is_number))
    fail(path, " line 1 has only numbers, needs the columns' names");
  if (outline.lines * columns > most_cells)
    fail(path, " has ", outline.lines, " lines of ", columns, " cells, at most ", most_cells, " cells are read");
  weft::nn::Table table;
  try {
    table = weft::nn::read_csv(
        path,
        {.target = options.target.empty() ? names.back() : options.target, .separator = separator, .dtype = weft::f64});
  } catch (const weft::Error& e) {
    throw weft::Error(for_users(e.what()));
  }
  if (table.size() < options.least_rows)
    fail(path, " has ", table.size(), " rows of data, needs at least ", options.least_rows);
  for (std::int64_t c = 0; c < table.x.size(1); ++c)
    check_column(path, table.x, c, table.columns[static_cast<std::size_t>(c)]);
  check_column(path, table.y, 0, table.targets[0]);
  return table;
}

}  // namespace common

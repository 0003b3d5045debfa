#include <weft/nn/data/csv.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include <weft/nn/data/detail/csv_column.hpp>
#include <weft/nn/data/detail/csv_records.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::nn {
namespace {

using detail::CsvColumn;
using detail::CsvNumber;

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

bool contains(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

void check_options(const CsvOptions& options) {
  if (!is_floating(options.dtype)) fail("read_csv: got dtype ", options.dtype, ", needs f32 or f64");
  if (options.labels && options.target.size() != 1)
    fail("read_csv: got ", options.target.size(), " targets, needs one for labels");
  if (std::string_view("\"\n\r\0", 4).find(options.separator) != std::string_view::npos)
    fail("read_csv: got a quote, a line end or a zero as separator");
  if (options.comment == '"' || options.comment == options.separator)
    fail("read_csv: got the quote or the separator as comment");
}

class CsvReader {
 public:
  CsvReader(const std::string& path, const CsvOptions& options) : path_(path), options_(options) {
    check_options(options_);
  }

  Table read() {
    find_columns();
    if (options_.one_hot_text) find_text();
    detail::CsvRecords records("read_csv", path_, options_.separator, options_.comment);
    if (options_.header) records.next();
    while (records.next()) take(records);
    if (rows_ == 0) fail("read_csv: ", path_, " has no rows", seen_ > 0 ? " without missing values" : "");
    Table table;
    for (CsvColumn& column : columns_)
      if (column.categorical && !column.closed) column.sort_categories();
    table.x = tensor_of(false, table.columns, table.categories);
    if (!options_.labels) {
      table.y = tensor_of(true, table.targets, table.categories);
      return table;
    }
    const CsvColumn& labels = columns_.back();
    table.y = detail::make_tensor("read_csv", {rows_}, i64);
    std::transform(labels.values.begin(), labels.values.end(), detail::mutable_data_of<std::int64_t>(table.y),
                   [](double number) { return static_cast<std::int64_t>(number); });
    table.targets = {labels.name};
    table.categories.push_back({labels.name, labels.names});
    return table;
  }

 private:
  std::size_t place_of(const std::string& name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at != names_.end()) return static_cast<std::size_t>(at - names_.begin());
    std::string all;
    for (std::size_t i = 0; i < names_.size() && i < 10; ++i) all += (i > 0 ? ", " : "") + detail::in_quotes(names_[i]);
    fail("read_csv: ", path_, " has no column ", detail::in_quotes(name), ", it has ", all,
         names_.size() > 10 ? ", ..." : "");
  }

  // Which columns there are and which are used: those of x, then those of y.
  void find_columns() {
    detail::CsvRecords records("read_csv", path_, options_.separator, options_.comment);
    if (!records.next()) fail("read_csv: ", path_, " is empty, needs ", options_.header ? "a header" : "rows");
    for (const std::string_view field : records.fields())
      names_.push_back(options_.header ? std::string(field) : std::to_string(names_.size()));
    std::unordered_set<std::string_view> seen;
    for (const std::string& name : names_)
      if (!seen.insert(name).second)
        fail("read_csv: ", records.place(), " names the column ", detail::in_quotes(name), " twice, needs each once");

    enum class Use : std::uint8_t { open, input, target, none };
    std::vector<Use> use(names_.size());
    const auto mark = [&](const std::string& name, Use as) {
      Use& now = use[place_of(name)];
      if (now != Use::open) fail("read_csv: got the column ", detail::in_quotes(name), " for two uses, needs one");
      now = as;
    };
    for (const std::string& name : options_.target) mark(name, Use::target);
    for (const std::string& name : options_.ignore) mark(name, Use::none);
    for (const std::string& name : options_.columns) {
      mark(name, Use::input);
      add(place_of(name), false);
    }
    if (options_.columns.empty())
      for (std::size_t place = 0; place < names_.size(); ++place)
        if (use[place] == Use::open) add(place, false);
    if (columns_.empty()) fail("read_csv: ", path_, " has no columns left for x, needs at least one");
    for (const std::string& name : options_.target) add(place_of(name), true);

    for (const std::string& name : options_.categorical) {
      const std::size_t place = place_of(name);
      for (CsvColumn& column : columns_) column.categorical = column.categorical || column.place == place;
    }
    columns_.back().categorical = columns_.back().categorical || options_.labels;
    for (const Categories& given : options_.categories)
      for (CsvColumn& column : columns_)
        if (column.name == given.column) column.close(given.names);
    row_.resize(columns_.size());
  }

  void add(std::size_t place, bool target) { columns_.push_back({names_[place], place, target}); }

  // Which columns of x hold something else than numbers: a pass of its own, since a category's number is its text.
  void find_text() {
    detail::CsvRecords records("read_csv", path_, options_.separator, options_.comment);
    if (options_.header) records.next();
    while (records.next()) {
      check_width(records);
      for (CsvColumn& column : columns_) {
        const std::string_view field = records.fields()[column.place];
        double value = 0;
        if (!column.target && !column.categorical && !is_missing(field) &&
            detail::parse_csv_number(field, value) == CsvNumber::text)
          column.categorical = true;
      }
    }
  }

  bool is_missing(std::string_view field) const {
    return detail::says_missing(field) || contains(options_.missing_texts, field);
  }

  void check_width(const detail::CsvRecords& records) const {
    const std::size_t got = records.fields().size();
    if (got != names_.size())
      fail("read_csv: ", records.place(), " has ", got, " fields, needs ", names_.size(), " as the first row");
  }

  std::string where(const detail::CsvRecords& records, const CsvColumn& column) const {
    return records.place() + ", column " + detail::in_quotes(column.name);
  }

  double number(const detail::CsvRecords& records, const CsvColumn& column, std::string_view field) const {
    if (!options_.missing_texts.empty() && contains(options_.missing_texts, field)) return missing;
    double value = 0;
    const CsvNumber parsed = detail::parse_csv_number(field, value);
    if (parsed == CsvNumber::text) {
      if (detail::says_missing(field)) return missing;
      fail("read_csv: ", where(records, column), ": got ", detail::in_quotes(field), ", needs a number");
    }
    const bool fits =
        options_.dtype == f64 || std::isinf(value) || !(std::abs(value) > std::numeric_limits<float>::max());
    if (parsed == CsvNumber::too_large || !fits)
      fail("read_csv: ", where(records, column), ": got ", detail::in_quotes(field), ", which is too large for ",
           options_.dtype);
    return value;
  }

  double category(const detail::CsvRecords& records, CsvColumn& column, std::string_view field) const {
    if (const auto known = column.numbers.find(field); known != column.numbers.end())
      return static_cast<double>(known->second);
    if (column.closed)
      fail("read_csv: ", where(records, column), ": got ", detail::in_quotes(field),
           ", needs one of the categories given");
    if (std::ssize(column.names) >= options_.max_categories && !(options_.labels && column.target))
      fail("read_csv: ", where(records, column), ": got more than ", options_.max_categories,
           " categories, needs fewer or more max_categories");
    return static_cast<double>(column.add_category(field));
  }

  void take(const detail::CsvRecords& records) {
    check_width(records);
    ++seen_;
    bool drop = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const CsvColumn& column = columns_[i];
      const std::string_view field = records.fields()[column.place];
      row_[i] = column.categorical ? (is_missing(field) ? missing : 0.0) : number(records, column, field);
      if (!std::isnan(row_[i])) continue;
      if (options_.missing == Missing::drop_row)
        drop = true;
      else if (options_.missing == Missing::error || column.target)
        fail("read_csv: ", where(records, column), ": got ", detail::in_quotes(field), ", a missing value, needs ",
             column.target ? "a target or Missing::drop_row" : "a value or CsvOptions::missing");
    }
    if (drop) return;
    ++rows_;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      CsvColumn& column = columns_[i];
      if (column.categorical && !std::isnan(row_[i]))
        row_[i] = category(records, column, records.fields()[column.place]);
      column.values.push_back(row_[i]);
    }
  }

  // x or y, and what its columns are.
  Tensor tensor_of(bool target, std::vector<std::string>& names, std::vector<Categories>& categories) {
    for (const CsvColumn& column : columns_) {
      if (column.target != target) continue;
      if (!column.categorical) {
        names.push_back(column.name);
        continue;
      }
      for (const std::string& category : column.names) names.push_back(column.name + "=" + category);
      categories.push_back({column.name, column.names});
    }
    const auto width = static_cast<std::int64_t>(names.size());
    Tensor result = detail::make_tensor("read_csv", {rows_, width}, options_.dtype);
    detail::visit_floating(options_.dtype, [&](auto kind) {
      using T = decltype(kind);
      T* const out = detail::mutable_data_of<T>(result);
      std::fill_n(out, result.size(), T{0});
      std::int64_t at = 0;
      for (const CsvColumn& column : columns_)
        if (column.target == target) {
          fill(column, out + at, width);
          at += column.categorical ? static_cast<std::int64_t>(column.names.size()) : 1;
        }
    });
    return result;
  }

  // Writes a column, or those of its categories, into every `width`-th element.
  template <class T>
  void fill(const CsvColumn& column, T* out, std::int64_t width) const {
    const auto is_nan = [](double value) { return std::isnan(value); };
    double other = options_.missing_value;
    if (!column.categorical && options_.missing == Missing::mean &&
        std::any_of(column.values.begin(), column.values.end(), is_nan)) {
      other = column.mean();
      if (is_nan(other))
        fail("read_csv: ", path_, " has no value in column ", detail::in_quotes(column.name), " to take the mean of");
    }
    for (const double value : column.values) {
      if (!column.categorical)
        *out = static_cast<T>(is_nan(value) ? other : value);
      else if (!is_nan(value))
        out[static_cast<std::int64_t>(value)] = T{1};
      out += width;
    }
  }

  const std::string& path_;
  const CsvOptions& options_;
  std::vector<std::string> names_;  // of all columns
  std::vector<CsvColumn> columns_;  // those that are used
  std::vector<double> row_;
  std::int64_t rows_ = 0, seen_ = 0;
};

}  // namespace

Table read_csv(const std::string& path, CsvOptions options) { return CsvReader(path, options).read(); }

}  // namespace weft::nn

#pragma once
// Tables in text files: comma-separated values, RFC 4180 and its relatives.
#include <weft/nn/data/dataset.hpp>

#include <string>

namespace weft::nn {

/// Names of columns, or other texts: `"y"`, `{"y", "z"}` or a vector.
class Names : public std::vector<std::string> {
 public:
  Names() = default;
  Names(const char* name) : std::vector<std::string>{name} {}
  Names(std::string name) : std::vector<std::string>{std::move(name)} {}
  Names(std::initializer_list<std::string> names) : std::vector<std::string>(names) {}
  Names(std::vector<std::string> names) : std::vector<std::string>(std::move(names)) {}
};

/// What to do where a value is missing: the field is empty, `?`, or NA, N/A, NaN or null in small or capital letters.
enum class Missing : std::uint8_t {
  error,     ///< throw Error with the line and the column
  drop_row,  ///< leave the row out
  mean,      ///< the column's mean over the rows that have one
  value,     ///< CsvOptions::missing_value
};

/// The categories of a column, in the order of their numbers.
struct Categories {
  std::string column;
  std::vector<std::string> names;
};

/// Options of read_csv. Without a header the columns are called "0", "1", ...
struct CsvOptions {
  Names target = {};          ///< columns of y
  Names columns = {};         ///< columns of x, in this order; empty: all others
  Names ignore = {};          ///< columns that are not used: they may hold anything
  Names categorical = {};     ///< columns that become one column of 0 and 1 for each category
  bool one_hot_text = false;  ///< do the same with every column of x in which something is not a number
  bool labels = false;        ///< the target is one class an example: y is i64 {rows}, the category's number
  /// Columns whose categories are known, usually those of the training table: they are categorical, and another
  /// category is an Error. Otherwise categories are all that occur, told apart as they are written and sorted: as
  /// numbers if all are, else as text.
  std::vector<Categories> categories = {};
  std::int64_t max_categories = 1000;  ///< of a column made one-hot: more are an Error
  Missing missing = Missing::error;  ///< mean and value hold for x: a missing target then is an Error still, a missing
                                     ///< category is none (all 0)
  double missing_value = 0;
  Names missing_texts = {};  ///< further texts that mean a missing value
  bool header = true;        ///< the first row is the columns' names
  char separator = ',';
  char comment = '\0';  ///< a line that begins with this is left out; '\0': none is
  DType dtype = f32;    ///< of x and y, f32 or f64
};

/// A data set that was read from a table, and what its columns are.
struct Table : Dataset {
  std::vector<std::string> columns;    ///< of x; "colour=red" for a category
  std::vector<std::string> targets;    ///< of y
  std::vector<Categories> categories;  ///< of the categorical columns of x, then of y: for CsvOptions::categories
};

/// Reads a table of numbers, gzipped or not: x {rows, columns} and y {rows, 1}, or {rows, targets}:
///
///     nn::Table train = nn::read_csv("train.csv", {.target = "price", .categorical = "street"});
///     nn::Table test = nn::read_csv("test.csv", {.target = "price", .categories = train.categories});
///
/// Fields may be in double quotes, which hold separators, line ends and doubled quotes (RFC 4180); spaces and tabs
/// around a field, empty lines and a UTF-8 byte order mark are left out; lines end in LF, CRLF or CR. Numbers are
/// decimal, read as C's strtod does in the "C" locale, whatever the program's. The file need not be trusted. Throws
/// Error with the file, the line and the column if a field is no number or does not fit the dtype, is missing (see
/// Missing), if a row has more or fewer fields than the first, a quote is not closed, a row is longer than 16 MiB or of
/// more than a million fields, the file is no text, is damaged, or has no rows, or if the options name a column that is
/// not there.
Table read_csv(const std::string& path, CsvOptions options = {});

}  // namespace weft::nn

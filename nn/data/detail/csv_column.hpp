#pragma once
// What fields mean: numbers, categories, missing values.
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::detail {

enum class CsvNumber : std::uint8_t { number, text, too_large };

/// Reads a number as strtod does in the "C" locale, hexadecimal ones left out. Too small a number is 0.
CsvNumber parse_csv_number(std::string_view text, double& value);

/// Whether a field stands for a value that is not there: see nn::Missing.
bool says_missing(std::string_view text);

/// A column that is used.
struct CsvColumn {
  std::string name;
  std::size_t place = 0;  ///< in a row
  bool target = false;
  bool categorical = false;
  std::vector<double> values{};  ///< one a row, nan where it is missing: numbers, or those of categories

  bool closed = false;               ///< the categories were given
  std::vector<std::string> names{};  ///< of the categories
  struct Hash {
    using is_transparent = void;  // may be asked for a part of a row without a copy
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> numbers{};  ///< of the categories

  /// Makes the column one of these categories and no others. Throws Error if one stands twice.
  void close(const std::vector<std::string>& categories);
  /// The number of a new category.
  std::int64_t add_category(std::string_view category);
  /// Puts the categories in order, as numbers if all are, else as text, and renumbers the values.
  void sort_categories();
  /// Of the values that are there; nan if none is.
  double mean() const;
};

}  // namespace weft::detail

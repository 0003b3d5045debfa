#include <weft/nn/data/detail/csv_column.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <weft/engine/error.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {

CsvNumber parse_csv_number(std::string_view text, double& value) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + (plus ? 1 : 0), end, value);
  if (stop != end || error == std::errc::invalid_argument) return CsvNumber::text;
  if (error != std::errc::result_out_of_range) return CsvNumber::number;
  const std::size_t exponent = text.find_first_of("eE");
  if (exponent == std::string_view::npos || text.substr(exponent + 1, 1) != "-") return CsvNumber::too_large;
  value = text[0] == '-' ? -0.0 : 0.0;
  return CsvNumber::number;
}

bool says_missing(std::string_view text) {
  if (text.empty() || text == "?") return true;
  if (text.size() > 4) return false;
  std::string small(text);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return small == "na" || small == "n/a" || small == "nan" || small == "null";
}

void CsvColumn::close(const std::vector<std::string>& categories) {
  categorical = closed = true;
  for (const std::string& category : categories) {
    if (numbers.contains(category))
      fail("read_csv: got the category ", in_quotes(category), " of column ", in_quotes(name),
           " twice, needs each once");
    add_category(category);
  }
}

std::int64_t CsvColumn::add_category(std::string_view category) {
  const std::int64_t number = std::ssize(names);
  names.emplace_back(category);
  numbers.emplace(names.back(), number);
  return number;
}

void CsvColumn::sort_categories() {
  std::vector<double> as_numbers(names.size());
  bool numeric = true;
  for (std::size_t i = 0; i < names.size(); ++i)
    numeric = numeric && parse_csv_number(names[i], as_numbers[i]) == CsvNumber::number && !std::isnan(as_numbers[i]);
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (numeric && as_numbers[a] != as_numbers[b]) return as_numbers[a] < as_numbers[b];
    return names[a] < names[b];
  });
  std::vector<std::string> sorted;
  std::vector<double> renumbered(names.size());
  for (const std::size_t i : order) {
    renumbered[i] = static_cast<double>(sorted.size());
    numbers[names[i]] = std::ssize(sorted);
    sorted.push_back(names[i]);
  }
  names = std::move(sorted);
  for (double& value : values)
    if (!std::isnan(value)) value = renumbered[static_cast<std::size_t>(value)];
}

double CsvColumn::mean() const {
  double sum = 0, count = 0;
  for (const double value : values)
    if (!std::isnan(value)) {
      sum += value;
      ++count;
    }
  return sum / count;
}

}  // namespace weft::detail

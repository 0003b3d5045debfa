#pragma once
// The rows of a file of comma-separated values: where fields begin and end, not what they mean.
#include <weft/nn/files/detail/input_file.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft::detail {

/// Reads a file row by row; see nn::read_csv for what it understands and refuses.
class CsvRecords {
 public:
  CsvRecords(const char* op, const std::string& path, char separator, char comment);

  /// Goes to the next row that is not empty; false after the last.
  bool next();
  /// The row's fields, without quotes and the spaces around; valid until next().
  const std::vector<std::string_view>& fields() const { return fields_; }
  /// Where the row begins, as "path:line".
  std::string place() const { return place_of(first_line_); }

 private:
  static constexpr int end_of_file = -1;
  std::string place_of(std::int64_t line) const { return path_ + ":" + std::to_string(line); }
  bool refill();
  int peek() { return at_ < end_ || refill() ? static_cast<unsigned char>(buffer_[at_]) : end_of_file; }
  bool ends_line(int c) const { return c == '\n' || c == '\r' || c == end_of_file; }
  bool is_space(int c) const { return (c == ' ' || c == '\t') && c != separator_; }
  void end_line();
  void skip_spaces();
  void skip_line();
  void take_until(bool inside_quotes);
  void read_field();
  void read_quoted();
  void check_length() const;

  const char* op_;
  std::string path_;
  int separator_, comment_;
  InputFile file_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, end_ = 0;  // what of the buffer is still to be read
  bool plain_[256] = {};          // what may stand in a field without a second look
  std::int64_t line_ = 1, first_line_ = 1;
  std::string text_;               // of all fields of the row
  std::vector<std::size_t> ends_;  // of each field in it
  std::vector<std::string_view> fields_;
};

}  // namespace weft::detail

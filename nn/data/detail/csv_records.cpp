#include <weft/nn/data/detail/csv_records.hpp>

#include <cstring>

#include <weft/engine/error.hpp>

namespace weft::detail {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 18;
constexpr std::size_t most_bytes = std::size_t{16} << 20, most_fields = std::size_t{1} << 18;  // of a row

}  // namespace

CsvRecords::CsvRecords(const char* op, const std::string& path, char separator, char comment)
    : op_(op),
      path_(path),
      separator_(static_cast<unsigned char>(separator)),
      comment_(static_cast<unsigned char>(comment)),
      file_(op, path),
      buffer_(buffer_bytes) {
  for (int c = 1; c < 256; ++c) plain_[c] = c != separator_ && c != '\n' && c != '\r' && c != '"';
  constexpr char byte_order_mark[] = {'\xEF', '\xBB', '\xBF'};
  if (refill() && end_ >= sizeof byte_order_mark && std::memcmp(buffer_.data(), byte_order_mark, 3) == 0) at_ = 3;
}

bool CsvRecords::refill() {
  at_ = 0;
  end_ = file_.read_some(buffer_.data(), buffer_.size());
  return end_ > 0;
}

void CsvRecords::end_line() {
  const int c = peek();
  if (c == end_of_file) return;
  ++at_;
  ++line_;
  if (c == '\r' && peek() == '\n') ++at_;
}

void CsvRecords::skip_spaces() {
  while (is_space(peek())) ++at_;
}

void CsvRecords::skip_line() {
  while (!ends_line(peek())) ++at_;
  end_line();
}

void CsvRecords::check_length() const {
  if (text_.size() > most_bytes) fail(op_, ": ", place(), " is a row of more than 16 MiB");
  if (ends_.size() > most_fields) fail(op_, ": ", place(), " is a row of more than ", most_fields, " fields");
}

// Appends what ends a field only where it is not inside quotes; there only a quote and line ends are looked at.
void CsvRecords::take_until(bool inside_quotes) {
  for (;;) {
    const std::size_t begin = at_;
    while (at_ < end_ && plain_[static_cast<unsigned char>(buffer_[at_])]) ++at_;
    text_.append(buffer_.data() + begin, at_ - begin);
    check_length();
    const int c = peek();
    if (c == 0) fail(op_, ": ", place_of(line_), " has a zero byte, needs text");
    if (c == end_of_file || (c == '"' && inside_quotes)) return;
    if (!plain_[c]) {
      if (!inside_quotes && c != '"') return;
      if (c == '\n') ++line_;
      text_ += static_cast<char>(c);
      ++at_;
    }
  }
}

void CsvRecords::read_quoted() {
  const std::int64_t opened = line_;
  for (;;) {
    ++at_;  // the quote
    take_until(true);
    if (peek() == end_of_file) fail(op_, ": ", place_of(opened), " opens a quote that is not closed");
    ++at_;
    if (peek() != '"') break;
    text_ += '"';
  }
  skip_spaces();
  const int c = peek();
  if (!ends_line(c) && c != separator_) fail(op_, ": ", place_of(line_), " goes on after a closing quote");
}

void CsvRecords::read_field() {
  const std::size_t begin = text_.size();
  skip_spaces();
  if (peek() == '"') {
    read_quoted();
  } else {
    take_until(false);
    while (text_.size() > begin && is_space(text_.back())) text_.pop_back();
  }
  ends_.push_back(text_.size());
  check_length();
}

bool CsvRecords::next() {
  text_.clear();
  ends_.clear();
  fields_.clear();
  for (;;) {
    skip_spaces();
    const int c = peek();
    if (c == end_of_file) return false;
    if (comment_ != 0 && c == comment_) {
      skip_line();
    } else if (ends_line(c)) {
      end_line();
    } else {
      break;
    }
  }
  first_line_ = line_;
  for (read_field(); peek() == separator_; read_field()) ++at_;
  end_line();
  std::size_t begin = 0;
  for (const std::size_t end : ends_) {
    fields_.push_back(std::string_view(text_).substr(begin, end - begin));
    begin = end;
  }
  return true;
}

}  // namespace weft::detail

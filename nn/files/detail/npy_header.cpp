#include <weft/nn/files/detail/npy_header.hpp>

#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <weft/engine/error.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

constexpr std::string_view magic{"\x93NUMPY", 6};
constexpr std::size_t longest_header = 65'535;  // all that version 1 can say; the others are for records of many fields

std::optional<DType> dtype_of_descr(std::string_view descr) {
  if (descr == "<f4") return f32;
  if (descr == "<f8") return f64;
  if (descr == "<i8") return i64;
  if (descr == "|u1" || descr == "|b1") return u8;
  return std::nullopt;
}

// The header's text: a Python dictionary with three entries, in any order, spaced in any way.
class Parser {
 public:
  Parser(const std::string& where, std::string_view text) : where_(where), text_(text) {}

  NpyHeader parse() {
    bool seen[3] = {};
    take('{');
    while (!takes('}')) {
      const std::string_view key = string();
      take(':');
      int which = 2;
      if (key == "descr") {
        which = 0;
        dtype();
      } else if (key == "fortran_order") {
        which = 1;
        order();
      } else if (key == "shape") {
        shape();
      } else {
        wrong(" has ", in_quotes(key), " in its header, needs descr, fortran_order and shape");
      }
      if (std::exchange(seen[which], true)) wrong(" has ", in_quotes(key), " twice in its header");
      if (!takes(',')) {
        take('}');
        break;
      }
    }
    skip_spaces();
    if (!text_.empty()) not_a_header();
    if (!seen[0] || !seen[1] || !seen[2]) wrong(" lacks descr, fortran_order or shape in its header");
    return result_;
  }

 private:
  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... parts) const {
    fail(where_, parts...);
  }
  [[noreturn]] void not_a_header() const {
    wrong(": the header is not a dictionary of descr, fortran_order and shape");
  }

  void skip_spaces() {
    const std::size_t spaces = text_.find_first_not_of(" \t\n");
    text_.remove_prefix(spaces == text_.npos ? text_.size() : spaces);
  }
  bool takes(char c) {
    skip_spaces();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void take(char c) {
    if (!takes(c)) not_a_header();
  }
  bool takes_word(std::string_view word) {
    skip_spaces();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  std::string_view string() {
    const char quote = takes('"') ? '"' : '\'';
    if (quote == '\'') take('\'');
    const std::size_t end = text_.find(quote);
    const std::string_view result = text_.substr(0, end);
    if (end == text_.npos || result.find('\\') != result.npos) not_a_header();
    text_.remove_prefix(end + 1);
    return result;
  }

  void dtype() {
    constexpr const char* needed = "needs little-endian f4, f8 or i8, or u1 or b1";
    skip_spaces();
    if (text_.starts_with('[')) wrong(" has a structured dtype, ", needed);
    const std::string_view descr = string();
    const std::optional<DType> known = dtype_of_descr(descr);
    if (!known) wrong(" has dtype ", in_quotes(descr), ", ", needed);
    result_.dtype = *known;
  }

  void order() {
    if (takes_word("True"))
      result_.fortran_order = true;
    else if (!takes_word("False"))
      wrong(" has a fortran_order that is neither True nor False");
  }

  void shape() {
    take('(');
    bool comma = true;  // in Python, (3) is a number and (3,) a tuple
    while (!takes(')')) {
      if (!comma) not_a_shape();
      if (result_.shape.rank() == max_rank) wrong(" has more than ", max_rank, " axes");
      result_.shape.append(size());
      comma = takes(',');
    }
    if (!comma && result_.shape.rank() == 1) not_a_shape();
  }
  [[noreturn]] void not_a_shape() const { wrong(" has a shape that is not a tuple of sizes"); }

  std::int64_t size() {
    constexpr std::int64_t most = 100'000'000'000'000'000;  // of which ten times are still a number
    std::int64_t n = 0;
    skip_spaces();
    if (text_.empty() || text_[0] < '0' || text_[0] > '9') not_a_shape();
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1)) {
      n = 10 * n + (text_[0] - '0');
      if (n > most) wrong(" has a size above ", most);
    }
    takes('L');  // as Python 2 wrote long integers
    return n;
  }

  const std::string& where_;
  std::string_view text_;
  NpyHeader result_;
};

}  // namespace

NpyHeader read_npy_header(ByteSource& from) {
  const std::string where = from.where();
  unsigned char head[8], length_bytes[4] = {};
  from.read(head, 4);
  if (std::memcmp(head, "PK\3\4", 4) == 0 || std::memcmp(head, "PK\5\6", 4) == 0)
    fail(where, " is a zip archive, needs one array: load_npz reads many");
  from.read(head + 4, 4);
  if (std::memcmp(head, magic.data(), magic.size()) != 0) fail(where, " does not begin like an npy file");
  if (head[6] < 1 || head[6] > 3 || head[7] != 0)
    fail(where, " is of version ", int{head[6]}, ".", int{head[7]}, ", needs 1.0, 2.0 or 3.0");
  from.read(length_bytes, head[6] == 1 ? 2 : 4);
  std::size_t length = 0;
  for (int i = 3; i >= 0; --i) length = length << 8 | length_bytes[i];
  if (length > longest_header) fail(where, " announces a header of ", length, " bytes, needs at most ", longest_header);
  from.expect(length);
  std::string text(length, '\0');
  from.read(text.data(), length);

  NpyHeader header = Parser(where, text).parse();
  const std::size_t item = size_of(header.dtype);
  header.bytes = static_cast<std::size_t>(checked_size(where.c_str(), header.shape, item)) * item;
  from.expect(header.bytes);
  return header;
}

}  // namespace weft::detail

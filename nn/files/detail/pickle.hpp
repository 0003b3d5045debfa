#pragma once
// Python's pickles, as far as torch.save writes tensors into them. Nothing is run: what a pickle asks for is one of a
// few known names, or refused. https://github.com/python/cpython/blob/main/Lib/pickletools.py
#include <weft/nn/files/detail/byte_source.hpp>
#include <weft/nn/files/detail/stored_type.hpp>

#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weft::detail {

/// A hundred thousand tensors. More is not read.
inline constexpr std::size_t longest_pickle = 16'000'000, most_pickled_values = 2'000'000;

/// What a pickle of protocol 2 builds: containers, numbers, text, tensors. It is checked as a program only: what it
/// says of tensors need not be true, and containers may hold themselves.
class Pickle {
 public:
  using Ref = std::uint32_t;
  enum class Kind : std::uint8_t {
    none,          // or anything that is of no use here
    boolean,       // integer
    integer,       // integer
    number,        // number
    text,          // text
    tuple,         // items
    list,          // items
    dictionary,    // items: key, value, key, value, ...
    ordered_dict,  // the class; the three below are functions and a class too
    rebuild_tensor,
    rebuild_parameter,
    size,
    storage_type,  // type
    storage,       // type; items: name, number of elements
    tensor,        // items: storage, offset, sizes, strides
  };
  struct Value {
    Kind kind = Kind::none;
    std::int64_t integer = 0;
    double number = 0;
    std::string_view text = {};
    const StoredType* type = nullptr;
    std::vector<Ref> items = {};
  };

  /// Reads all `bytes` of the source. Throws Error beginning with `where`.
  Pickle(std::string where, ByteSource& from, std::size_t bytes);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  Ref root() const { return *result_; }
  const Value& operator[](Ref ref) const { return values_[ref]; }

 private:
  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... parts) const;
  [[noreturn]] void damaged() const;

  std::string_view take(std::size_t bytes);
  std::string_view take_line();
  std::uint64_t take_number(std::size_t bytes);
  std::int64_t take_signed(std::size_t bytes);

  void push(Value value);
  void push_text(std::string_view text) { push({.kind = Kind::text, .text = text}); }
  void push_integer(std::int64_t n) { push({.kind = Kind::integer, .integer = n}); }
  Ref pop();
  Ref top() const;
  std::vector<Ref> pop_last(std::size_t count);
  std::vector<Ref> pop_to_mark();
  // The items of a value of this kind; anything else is damage.
  const std::vector<Ref>& items(Ref ref, Kind kind) const;

  void run();
  void step(unsigned char opcode);
  void put(std::uint64_t name);
  void get(std::uint64_t name);
  void append(Kind to, const std::vector<Ref>& items);
  void push_global();
  void push_storage();
  void call();
  void drop_attributes();

  std::string where_, bytes_;
  std::size_t at_ = 0;
  std::vector<Value> values_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;  // places in the stack
  std::unordered_map<std::uint64_t, Ref> memo_;
  std::optional<Ref> result_;
};

}  // namespace weft::detail

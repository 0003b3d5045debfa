#pragma once
// The one exception type, and the helper that words it.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace weft {

enum class DType : std::uint8_t;

/// What every failed check throws: one line that names the operation, what it got and what it needs.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

inline std::string to_text(std::string_view text) { return std::string(text); }
template <class T>
  requires std::is_integral_v<T> std::string to_text(T value) { return std::to_string(value); }
std::string to_text(double value);  // shortest form that reads back
std::string to_text(DType dtype);

}  // namespace detail

/// Throws Error with the parts joined; shapes, dtypes, numbers and text are understood. Never part of its caller, which
/// would pay for the making of texts with registers and stack where nothing fails.
template <class... Parts>
[[noreturn, gnu::noinline, gnu::cold]] void fail(const Parts&... parts) {
  using detail::to_text;
  std::string message;
  (message.append(to_text(parts)), ...);
  throw Error(message);
}

}  // namespace weft

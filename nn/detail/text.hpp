#pragma once
// Text for people.
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::detail {

/// What somebody else's file calls something, for an error's one line: in quotes, what is no printable ASCII escaped,
/// cut after about 60 characters.
std::string in_quotes(std::string_view text);

/// 1234567 as 1,234,567.
std::string grouped(std::int64_t n);

}  // namespace weft::detail

#pragma once
// An op's own fields by name: for printing, drawing and export.
#include <weft/engine/shape.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace weft {

/// One of them. The member that `kind` names holds it; a flag is a whole number, 0 or 1.
struct Field {
  enum class Kind : std::uint8_t { flag, whole, real, list, text };

  Field(std::string of, bool flag) : name(std::move(of)), kind(Kind::flag), whole(flag) {}
  Field(std::string of, std::integral auto number)
      : name(std::move(of)), kind(Kind::whole), whole(static_cast<std::int64_t>(number)) {}
  Field(std::string of, double number) : name(std::move(of)), kind(Kind::real), real(number) {}
  Field(std::string of, const char* words) : name(std::move(of)), kind(Kind::text), text(words) {}
  Field(std::string of, const detail::IntList& numbers)
      : name(std::move(of)), kind(Kind::list), list(numbers.begin(), numbers.end()) {}
  Field(std::string of, std::vector<std::int64_t> numbers)
      : name(std::move(of)), kind(Kind::list), list(std::move(numbers)) {}

  std::string name;
  Kind kind;
  std::int64_t whole = 0;
  double real = 0;
  std::vector<std::int64_t> list;
  std::string text;

  bool operator==(const Field&) const = default;
};

using Fields = std::vector<Field>;

/// "axis = 1, order = {1, 0}"; empty if there are none.
std::string to_text(const Fields& fields);

}  // namespace weft

#pragma once
// An op's own fields by name: for printing, drawing and export.
#include <weft/engine/shape.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weft {

/// One of them: a number, a list of whole numbers, a flag or a text.
struct Field {
  using Value = std::variant<std::int64_t, double, bool, std::vector<std::int64_t>, std::string>;

  Field(std::string of, bool flag) : name(std::move(of)), value(flag) {}
  Field(std::string of, std::integral auto number) : name(std::move(of)), value(static_cast<std::int64_t>(number)) {}
  Field(std::string of, double number) : name(std::move(of)), value(number) {}
  Field(std::string of, const char* text) : name(std::move(of)), value(std::string(text)) {}
  Field(std::string of, const detail::IntList& list)
      : name(std::move(of)), value(std::vector<std::int64_t>(list.begin(), list.end())) {}
  Field(std::string of, std::vector<std::int64_t> list) : name(std::move(of)), value(std::move(list)) {}

  std::string name;
  Value value;

  bool operator==(const Field&) const = default;
};

using Fields = std::vector<Field>;

/// "axis = 1, order = {1, 0}"; empty if there are none.
std::string to_text(const Fields& fields);

}  // namespace weft

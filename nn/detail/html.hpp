#pragma once
// The parts of a page (nn/page.hpp).
#include <weft/engine/profile.hpp>
#include <weft/nn/detail/summary_table.hpp>

#include <string_view>

namespace weft::detail {

/// Text for an element or an attribute in quotes.
std::string html_escaped(std::string_view text);
/// A term and what it is, for the row of figures at the head of a section.
std::string html_fact(const std::string& term, const std::string& value);
/// A cell with a number, and below it a bar for its share of `whole`.
std::string html_bar_cell(const std::string& number, double part, double whole);

/// What can be zoomed and moved: a bar of buttons, which change what is seen by these factors, a hint and the content.
std::string html_view(double in, double out, const std::string& hint, const std::string& content);

std::string html_of(const SummaryTable& table);
/// Of what to_dot gave. Throws Error if `dot` is missing or fails.
std::string html_of_graph(const std::string& dot);
/// Throws Error if nothing has run.
std::string html_of(const Profile& profile);

/// All pages' style and script.
extern const char* const page_style;
extern const char* const page_script;

}  // namespace weft::detail

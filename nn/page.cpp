#include <weft/nn/page.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <weft/engine/detail/output_file.hpp>
#include <weft/engine/error.hpp>
#include <weft/engine/graph.hpp>
#include <weft/nn/detail/html.hpp>

namespace weft::nn {

using weft::detail::html_escaped;

void Page::add_summary(const weft::detail::SummaryCall& call, SummaryOptions options) {
  const weft::detail::SummaryTable table = weft::detail::summary_table(call, options);
  add("summary", "Summary of " + table.total.kind, weft::detail::html_of(table));
}

void Page::graph(const Tensor& result, const NamedTensors& names, PageGraphOptions options) {
  if (!result.defined() || tape_stats(result).nodes == 0)
    fail("Page: graph got a tensor behind which nothing was recorded, needs a recorded result");
  add("graph", "Graph by module",
      weft::detail::html_of_graph(to_dot(result, names, {.by_module = true, .depth = options.depth})));
}

void Page::profile(const Profile& profile) { add("profile", "Profile", weft::detail::html_of(profile)); }

void Page::add(const char* id, const std::string& heading, const std::string& body) {
  const auto before = std::count_if(sections_.begin(), sections_.end(),
                                    [&](const Section& section) { return section.id.starts_with(id); });
  sections_.push_back({before == 0 ? id : fmt::format("{}-{}", id, before + 1), heading, body});
}

void Page::write(const std::string& path) const {
  if (sections_.empty()) fail("Page: has no section, needs a summary, a graph or a profile");
  const std::string title = html_escaped(title_);
  // The policy forbids what is not needed: whatever a name smuggled in, nothing would be fetched.
  std::string text = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style></head>\n<body><header><h1>{}</h1>",
      title, weft::detail::page_style, title);
  if (sections_.size() > 1) {
    text += "<nav>";
    for (const Section& s : sections_) text += fmt::format("<a href=\"#{}\">{}</a>", s.id, html_escaped(s.heading));
    text += "</nav>";
  }
  text += "</header>\n";
  for (const Section& s : sections_)
    text += fmt::format("<section id=\"{}\"><h2>{}</h2>\n{}</section>\n", s.id, html_escaped(s.heading), s.body);
  text += fmt::format("<script>{}</script>\n</body></html>\n", weft::detail::page_script);
  weft::detail::OutputFile file("Page", path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace weft::nn

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <weft/engine/error.hpp>
#include <weft/nn/detail/html.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

constexpr std::size_t most_runs = 100'000;  // some 3 MB of the file; a browser draws them in milliseconds

// 1234.5 as 1,234.50; nothing of what a clock that stood still gives.
std::string decimal(double value, int digits) {
  if (!std::isfinite(value)) return {};
  const std::string text = fmt::format("{:.{}f}", value, digits);
  return grouped(std::stoll(text)) + text.substr(text.find('.'));
}

std::string profile_table(const std::vector<ProfileRow>& rows, bool by_module) {
  double seconds = 0;
  for (const ProfileRow& row : rows) seconds += row.seconds;
  std::string text = "<div class=\"wide\"><table class=\"sorted\"><thead><tr>";
  for (const char* name : {"module", "op", "pass", "calls", "ms", "%", "&micro;s a call", "GB/s"})
    if (by_module || std::string_view(name) != "module")
      text += fmt::format("<th aria-sort=\"{}\"><button type=\"button\">{}</button></th>",
                          std::string_view(name) == "ms" ? "descending" : "none", name);
  text += "</tr></thead>\n<tbody>\n";
  for (const ProfileRow& row : rows) {
    text += "<tr>";
    if (by_module) text += "<td>" + html_escaped(row.module) + "</td>";
    text += fmt::format("<td>{}</td><td>{}</td><td>{}</td>", html_escaped(row.op),
                        row.pass == Pass::forward ? "forward" : "backward", grouped(row.calls));
    text += "<td>" + decimal(row.seconds * 1e3, 3) + "</td>";
    text += html_bar_cell(decimal(100 * row.seconds / seconds, 1), row.seconds, seconds);
    text += "<td>" + decimal(row.seconds * 1e6 / static_cast<double>(row.calls), 2) + "</td>";
    text += "<td>" + decimal(static_cast<double>(row.bytes) / 1e9 / row.seconds, 1) + "</td></tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

// Column by column; texts are numbers of entries of one list.
std::string timeline_json(const std::vector<ProfileRun>& runs, std::size_t count) {
  std::vector<std::string> texts;
  std::unordered_map<std::string, std::size_t> numbers;
  const auto number = [&](const std::string& text) {
    const auto [at, fresh] = numbers.try_emplace(text, texts.size());
    if (fresh) texts.push_back(text);
    return at->second;
  };
  const auto microseconds = [](double seconds) { return std::round(seconds * 1e8) / 100; };
  nlohmann::json op, module, fields, shapes, backward, depth, begin, duration, bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const ProfileRun& run = runs[i];
    op.push_back(number(run.op));
    module.push_back(number(run.module));
    fields.push_back(number(run.fields));
    shapes.push_back(number(run.shapes));
    backward.push_back(run.pass == Pass::backward ? 1 : 0);
    depth.push_back(run.depth);
    begin.push_back(microseconds(run.begin));
    duration.push_back(microseconds(run.seconds));
    bytes.push_back(run.bytes);
  }
  const nlohmann::json all = {
      {"texts", texts},       {"op", op},       {"module", module}, {"fields", fields},     {"shapes", shapes},
      {"backward", backward}, {"depth", depth}, {"begin", begin},   {"duration", duration}, {"bytes", bytes}};
  std::string text;
  for (const char c : all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    if (c == '<')
      text += "\\u003c";  // in a text only; "</script>" and "<!--" would end or change the element
    else
      text += c;
  return text;
}

}  // namespace

std::string html_of(const Profile& profile) {
  const std::vector<ProfileRun> runs = profile.runs();
  if (runs.empty()) fail("Page: profile: nothing has run, needs at least one op");
  double forward = 0, backward = 0;
  for (const ProfileRun& run : runs)
    if (run.depth == 0) (run.pass == Pass::forward ? forward : backward) += run.seconds;
  const auto count = [](std::size_t n) { return grouped(static_cast<std::int64_t>(n)); };
  const std::size_t shown = std::min(runs.size(), most_runs);
  const auto milliseconds = [](double seconds) { return decimal(seconds * 1e3, 3) + " ms"; };
  std::string text = "<dl>" + html_fact("in all", milliseconds(forward + backward)) +
                     html_fact("forward", milliseconds(forward)) + html_fact("backward", milliseconds(backward)) +
                     html_fact("runs of ops", count(runs.size())) + "</dl>\n";
  const std::string part =
      shown < runs.size() ? fmt::format("; the first {} of {} runs", count(shown), count(runs.size())) : "";
  text +=
      "<h3>Timeline</h3>\n" +
      html_view(0.5, 2, "light is forward, dark is backward" + part,
                "<canvas class=\"timeline\"></canvas><script type=\"application/json\">" + timeline_json(runs, shown) +
                    "</script><noscript><p>The timeline is drawn by a script.</p></noscript>");
  text += "<h3>By op</h3>\n" + profile_table(profile.rows(), false);
  return text + "<h3>By module</h3>\n" + profile_table(profile.rows(true), true);
}

}  // namespace weft::detail

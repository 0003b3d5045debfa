#include <algorithm>

#include <fmt/format.h>

#include <weft/nn/detail/html.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::detail {
namespace {

// A line of the table: a layer, or a module with the sums of the layers below it.
struct TreeLine {
  std::size_t level = 0;
  std::string name;
  SummaryRow row;
  bool is_module = false;
};

std::vector<std::string_view> names_of(std::string_view path) {
  std::vector<std::string_view> names;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('.', at), path.size());
    names.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

void add_to(SummaryRow& sum, const SummaryRow& row) {
  if (!row.shared) sum.parameters += row.parameters;
  if (row.multiply_adds) sum.multiply_adds = sum.multiply_adds.value_or(0) + *row.multiply_adds;
  sum.saved += row.saved;
  sum.output = row.output;
}

// "stage1.1 .. stage1.4" below "stage1" is "1 .. 4".
std::string name_below(const std::string& module, const std::string& path) {
  std::string name = path.substr(module.size() + 1);
  if (const std::size_t range = name.find(" .. "); range != std::string::npos) name.erase(range + 4, module.size() + 1);
  return name;
}

// Consecutive rows that are below one module stand below a line for that.
std::vector<TreeLine> tree_of(const std::vector<SummaryRow>& rows) {
  std::vector<TreeLine> lines;
  std::vector<std::size_t> open;  // the lines of the modules around, outermost first
  for (const SummaryRow& row : rows) {
    const std::string_view path = std::string_view(row.path).substr(0, row.path.find(" .. "));
    std::vector<std::string_view> names = names_of(path);
    // A module with ops of its own stands after its children.
    const bool itself = !open.empty() && lines[open.back()].row.path == path;
    if (!itself && !names.empty()) names.pop_back();
    std::size_t common = 0;
    while (common < std::min(open.size(), names.size()) && lines[open[common]].name == names[common]) ++common;
    open.resize(common);
    for (; common < names.size(); ++common) {
      const auto end = static_cast<std::size_t>(names[common].data() + names[common].size() - path.data());
      open.push_back(lines.size());
      lines.push_back({.level = common,
                       .name = std::string(names[common]),
                       .row = {.path = std::string(path.substr(0, end))},
                       .is_module = true});
    }
    for (const std::size_t module : open) add_to(lines[module].row, row);
    std::string name = itself         ? "(itself)"
                       : open.empty() ? row.path
                                      : name_below(lines[open.back()].row.path, row.path);
    lines.push_back({.level = open.size(), .name = std::move(name), .row = row});
  }
  return lines;
}

std::string cells(const SummaryRow& row, const SummaryRow& total) {
  const auto number = [](std::int64_t n) { return n == 0 ? std::string() : grouped(n); };
  const auto bar = [&](std::int64_t n, std::int64_t whole) {
    return html_bar_cell(number(n), static_cast<double>(n), static_cast<double>(whole));
  };
  return fmt::format("<td>{}</td><td>{}</td>", html_escaped(row.kind), html_escaped(row.output)) +
         (row.shared ? std::string("<td class=\"bar\">shared</td>") : bar(row.parameters, total.parameters)) +
         bar(row.multiply_adds.value_or(0), total.multiply_adds.value_or(0)) + bar(row.saved, total.saved);
}

}  // namespace

std::string html_of(const SummaryTable& table) {
  std::string text = "<dl>" + html_fact("parameters", grouped(table.total.parameters)) +
                     html_fact("multiply-adds", grouped(table.total.multiply_adds.value_or(0))) +
                     html_fact("bytes saved for backward", grouped(table.total.saved)) +
                     html_fact("output", table.total.output) + "</dl>\n";
  text +=
      "<div class=\"wide\"><table class=\"tree\"><thead><tr><th>layer</th><th>kind</th><th>output</th>"
      "<th>parameters</th><th>multiply-adds</th><th>saved bytes</th></tr></thead>\n<tbody>\n";
  for (const TreeLine& line : tree_of(table.rows)) {
    const std::string name = html_escaped(line.name);
    text += fmt::format("<tr data-level=\"{}\"{}><td style=\"--level:{}\" title=\"{}\">{}</td>{}</tr>\n", line.level,
                        line.is_module ? " class=\"module\"" : "", line.level, html_escaped(line.row.path),
                        line.is_module ? "<button type=\"button\" aria-expanded=\"true\">" + name + "</button>" : name,
                        cells(line.row, table.total));
  }
  text += "</tbody>\n<tfoot>\n";
  const auto last = [&](const SummaryRow& row) {
    text += fmt::format("<tr><td>{}</td>{}</tr>\n", html_escaped(row.path), cells(row, table.total));
  };
  last(table.total);
  for (const SummaryRow& row : table.unowned) last(row);
  return text + "</tfoot></table></div>\n";
}

}  // namespace weft::detail

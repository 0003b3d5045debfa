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

// "stage1.1 .. stage1.4" below "stage1." is "1 .. 4".
void remove_all(std::string& text, const std::string& part) {
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos;) text.erase(at, part.size());
}

// Consecutive rows that are below one module stand below a line for that.
std::vector<TreeLine> tree_of(const std::vector<SummaryRow>& rows) {
  std::vector<TreeLine> lines;
  std::vector<std::size_t> open;  // the lines of the modules around, outermost first
  for (const SummaryRow& row : rows) {
    const std::string_view path = std::string_view(row.path).substr(0, row.path.find(" .. "));
    std::vector<std::string_view> names = names_of(path);
    const auto is_open = [&] {
      return !open.empty() && open.size() == names.size() && lines[open.back()].row.path == path;
    };
    const bool itself = is_open();  // a module with ops of its own, after its children
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
    std::string name = row.path;
    if (itself)
      name = "(itself)";
    else if (!open.empty())
      remove_all(name, lines[open.back()].row.path + ".");
    lines.push_back({.level = open.size(), .name = std::move(name), .row = row});
  }
  return lines;
}

std::string cells(const SummaryRow& row, const SummaryRow& total) {
  const auto number = [](std::int64_t n) { return n == 0 ? std::string() : grouped(n); };
  const auto share = [](std::int64_t n) { return static_cast<double>(n); };
  const std::int64_t work = row.multiply_adds.value_or(0);
  return fmt::format("<td>{}</td><td>{}</td>", html_escaped(row.kind), html_escaped(row.output)) +
         (row.shared ? std::string("<td class=\"bar\">shared</td>")
                     : html_bar_cell(number(row.parameters), share(row.parameters), share(total.parameters))) +
         html_bar_cell(number(work), share(work), share(total.multiply_adds.value_or(0))) +
         html_bar_cell(number(row.saved), share(row.saved), share(total.saved));
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

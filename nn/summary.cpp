#include <weft/nn/summary.hpp>

#include <algorithm>
#include <array>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/summary_table.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::nn {
namespace {

using Line = std::array<std::string, 6>;

Line line_of(const weft::detail::SummaryRow& row) {
  return {row.path,
          row.kind,
          row.output,
          row.shared ? "shared" : weft::detail::grouped(row.parameters),
          row.multiply_adds ? weft::detail::grouped(*row.multiply_adds) : "",
          weft::detail::grouped(row.saved)};
}

std::string table_of(const std::vector<Line>& lines) {
  std::array<std::size_t, std::tuple_size_v<Line>> width{};
  for (const Line& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) width[c] = std::max(width[c], line[c].size());
  std::string text;
  for (const Line& line : lines) {
    std::string padded;
    for (std::size_t c = 0; c < line.size(); ++c) {
      const std::string space(width[c] - line[c].size(), ' ');
      padded += c < 3 ? line[c] + space : space + line[c];  // text to the left, numbers to the right
      if (c + 1 < line.size()) padded += "  ";
    }
    text += padded.substr(0, padded.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

std::string summary(Module& module, const Shape& shape, SummaryOptions options) {
  return weft::detail::summary_of(weft::detail::summary_call(module, shape), options);
}

}  // namespace weft::nn

namespace weft::detail {

SummaryCall summary_call(nn::Module& module, const Shape& shape) {
  const Tensors parameters = module.parameters();
  const Tensor x = zeros(shape, parameters.empty() ? f32 : parameters[0].dtype());
  return {module, {x}, [&module, x] { return module(x); }};
}

std::string summary_of(const SummaryCall& call, nn::SummaryOptions options) {
  const SummaryTable table = summary_table(call, options);
  std::vector<nn::Line> lines{{"layer", "kind", "output", "parameters", "multiply-adds", "saved bytes"}};
  for (const SummaryRow& row : table.rows) lines.push_back(nn::line_of(row));
  lines.push_back(nn::line_of(table.total));
  for (const SummaryRow& row : table.unowned) lines.push_back(nn::line_of(row));
  return nn::table_of(lines);
}

}  // namespace weft::detail

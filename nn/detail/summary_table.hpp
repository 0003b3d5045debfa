#pragma once
// What a summary says of a net, before it is written down.
#include <weft/nn/summary.hpp>

#include <optional>

namespace weft::detail {

/// A call of a layer, or a layer that was not called; or several that are like those before.
struct SummaryRow {
  std::string path = {};  ///< "stage1.0.conv1"; of several "stage1.1 .. stage1.4"
  std::string kind = {}, output = {};
  std::int64_t parameters = 0;
  bool shared = false;  ///< they have been counted
  std::optional<std::int64_t> multiply_adds = std::nullopt;
  std::int64_t saved = 0;  ///< bytes, for backward

  bool same(const SummaryRow& other) const {
    return kind == other.kind && output == other.output && parameters == other.parameters && shared == other.shared &&
           multiply_adds == other.multiply_adds && saved == other.saved;
  }
};

/// The rows in the order of the calls, what they come to together, and what no module owns.
struct SummaryTable {
  std::vector<SummaryRow> rows;
  SummaryRow total;
  std::vector<SummaryRow> unowned;
};

/// Runs the module once, as summary() says.
SummaryTable summary_table(const SummaryCall& call, nn::SummaryOptions options);

}  // namespace weft::detail

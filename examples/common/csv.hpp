#pragma once
// A user's own table for a study.
#include <cstdint>
#include <string>

#include <weft/nn/data/csv.hpp>

namespace common {

/// What a table may be at most: beyond this a study would not end. All three are checked before any row is kept.
constexpr std::int64_t most_columns = 10'000, most_cells = 10'000'000, most_megabytes = 256;

struct TableOptions {
  std::string target = {};      ///< the column to predict; empty: the last one
  std::int64_t least_rows = 1;  ///< fewer are an Error
};

/// Reads a CSV file, gzipped or not, whose first line names the columns and whose other cells are all finite numbers,
/// in f64. Commas, semicolons or tabs are between them: the kind that the first line has most of. Throws Error of one
/// line, with line and column where there is one, if the file is missing, empty, damaged or larger than the limits
/// above (unpacked), has a cell that is no number, a row of another length, too few rows, a column that is constant, a
/// name twice, or no such target.
weft::nn::Table read_table(const std::string& path, const TableOptions& options = {});

}  // namespace common

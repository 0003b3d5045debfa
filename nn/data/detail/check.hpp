#pragma once
// What everything that takes a data set asks of it.
#include <weft/nn/data/dataset.hpp>

namespace weft::detail {

/// Throws Error naming `op` unless there is an x and a y for each of at least one example.
void check_dataset(const char* op, const nn::Dataset& data);

}  // namespace weft::detail

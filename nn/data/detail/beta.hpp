#pragma once
// Draws from the symmetric Beta distribution.
#include <weft/engine/random.hpp>

namespace weft::detail {

/// A number in [0, 1] from Beta(alpha, alpha), alpha > 0.
double draw_beta(double alpha, Generator& generator);

}  // namespace weft::detail

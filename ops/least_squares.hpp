#pragma once
// Systems of more or fewer equations than unknowns. f32 and f64.
#include <weft/engine/tensor.hpp>

namespace weft {

/// The X that makes A X - B least, column by column, and of several the shortest, for A {..., m, n} of any rank; B is
/// {..., m, k}, or has a vector for each matrix, {m} or A's shape without its last axis. Batches are broadcast. A
/// direction of A counts as 0 below max(m, n) times the dtype's rounding error (2.2e-16, 1.2e-7) of the largest. The
/// gradient is that at constant rank: A's rank must not change on the way.
Tensor lstsq(const Tensor& a, const Tensor& b);

}  // namespace weft

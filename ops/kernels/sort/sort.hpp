#pragma once
// Positions by the order of the values along the middle axis of (outer, axis, inner). A nan is larger than all numbers,
// of equal values the first comes first, and 0 equals -0. T is float, double, int64_t or uint8_t.
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <cstdint>

namespace weft::detail {

/// out (outer, axis, inner): the positions of the smallest, the next, ...; descending: of the largest, the next, ...
template <class T>
void order_positions(const T* x, std::int64_t* out, Collapsed shape, bool descending);

/// The first `count` of them, at most axis: out is (outer, count, inner).
template <class T>
void first_positions(const T* x, std::int64_t* out, Collapsed shape, std::int64_t count, bool descending);

/// Those from `rank` on, 1 or 2 of them: out is (outer, count, inner). Along an axis with a nan all are that of the
/// first nan.
template <class T>
void ranked_positions(const T* x, std::int64_t* out, Collapsed shape, std::int64_t rank, std::int64_t count);

}  // namespace weft::detail

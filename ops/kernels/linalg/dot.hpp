#pragma once
// Sums of products on raw memory.
#include <cstdint>

namespace weft::detail {

/// out[i] = the sum of a[i, j] * b[i, j] over j, for `rows` rows of n; 0 over none. T is float or double. Long rows are
/// summed in blocks of a fixed size, so that results do not depend on the number of threads.
template <class T>
void dot_rows(const T* a, const T* b, T* out, std::int64_t rows, std::int64_t n);

}  // namespace weft::detail

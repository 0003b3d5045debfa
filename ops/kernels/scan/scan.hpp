#pragma once
// Running sums, products and recurrences along the middle axis of (outer, axis, inner). Of f32 they are kept in double
// and rounded once for each result; of integers in int64_t, wrapping.
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <cstdint>
#include <type_traits>

namespace weft::detail {

/// What running sums and products of T are given in: int64_t for integers, T itself otherwise.
template <class T>
using ScanOf = std::conditional_t<std::is_integral_v<T>, std::int64_t, T>;

/// y[k] = x[0] + ... + x[k]; backwards x[k] + ... + x[axis - 1]. T is float, double, int64_t or uint8_t.
template <class T>
void running_sum(const T* x, ScanOf<T>* y, Collapsed shape, bool backwards);

/// y[k] = x[0] ... x[k]. T is float, double, int64_t or uint8_t.
template <class T>
void running_product(const T* x, ScanOf<T>* y, Collapsed shape);

/// y[k] = b[k] + c[k] y[k - 1]; backwards y[k] = b[k] + c[k + 1] y[k + 1]. Beyond the ends y is 0, so that c[0] does
/// not count. T is float or double.
template <class T>
void recurrence(const T* b, const T* c, T* y, Collapsed shape, bool backwards);

}  // namespace weft::detail

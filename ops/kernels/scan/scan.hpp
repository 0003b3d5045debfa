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

/// y[k] = x[0] ... x[k - 1]; backwards x[k + 1] ... x[axis - 1]. T is float or double.
template <class T>
void product_before(const T* x, T* y, Collapsed shape, bool backwards);

/// y[k] = b[k] + c[k] y[k - 1] or, if not `own`, b[k] + c[k - 1] y[k - 1]; backwards k + 1 in the place of k - 1.
/// Beyond the ends y is 0. T is float or double.
template <class T>
void recurrence(const T* b, const T* c, T* y, Collapsed shape, bool backwards, bool own);

}  // namespace weft::detail

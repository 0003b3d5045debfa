#pragma once
// Reductions over the middle axis of (outer, axis, inner); outputs are (outer, inner).
// T is float, double, int64_t or uint8_t unless said otherwise. f32 sums are blocked: float within a block of at most
// a few hundred additions, double between blocks.
#include <weft/engine/dtype.hpp>
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <cstdint>
#include <type_traits>

namespace weft::detail {

/// What sums and products of T are given in: int64_t for integers, T itself otherwise.
template <class T>
using SumOf = std::conditional_t<std::is_integral_v<T>, std::int64_t, T>;
inline DType accumulated(DType dtype) { return is_floating(dtype) ? dtype : i64; }

/// Sum; 0 over an empty axis.
template <class T>
void reduce_sum(const T* x, SumOf<T>* out, Collapsed shape);

/// Sum of squares; T is float or double.
template <class T>
void reduce_sum_squares(const T* x, T* out, Collapsed shape);

/// Product; 1 over an empty axis.
template <class T>
void reduce_prod(const T* x, SumOf<T>* out, Collapsed shape);

/// y, as large as x: for each value the product of all others along the axis, in double to the end. T is float or
/// double.
template <class T>
void product_of_others(const T* x, T* y, Collapsed shape);

/// Largest value; NaN if there is one. The axis must not be empty.
template <class T>
void reduce_max(const T* x, T* out, Collapsed shape);

/// Smallest value; NaN if there is one. The axis must not be empty.
template <class T>
void reduce_min(const T* x, T* out, Collapsed shape);

/// Position along the axis of the first largest value, or of the first NaN. The axis must not be empty.
template <class T>
void reduce_argmax(const T* x, std::int64_t* out, Collapsed shape);

/// Position along the axis of the first smallest value, or of the first NaN. The axis must not be empty.
template <class T>
void reduce_argmin(const T* x, std::int64_t* out, Collapsed shape);

/// 1 where any value is non-zero (NaN is), else 0; 0 over an empty axis.
template <class T>
void reduce_any(const T* x, std::uint8_t* out, Collapsed shape);

/// 1 where all values are non-zero, else 0; 1 over an empty axis.
template <class T>
void reduce_all(const T* x, std::uint8_t* out, Collapsed shape);

/// log(sum(exp(x))), shifted by the maximum: -inf if all are (or the axis is empty), +inf if one is, NaN if one is.
/// T float or double.
template <class T>
void reduce_logsumexp(const T* x, T* out, Collapsed shape);

}  // namespace weft::detail

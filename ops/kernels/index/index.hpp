#pragma once
// Reading and adding by index along the middle axis of (outer, axis, inner). Indices count from 0; check them first.
#include <weft/ops/kernels/loops/collapsed.hpp>

#include <cstdint>

namespace weft::detail {

/// Where the first index outside [0, limit) stands, or -1.
std::int64_t first_out_of_range(const std::int64_t* index, std::int64_t n, std::int64_t limit);

/// y[o, j, i] = x[o, index[j], i]: y is (outer, count, inner); `width` is the element size, 1, 4 or 8 bytes.
void index_select(const void* x, Collapsed shape, const std::int64_t* index, std::int64_t count, void* y, int width);

/// y[o, index[j], i] += source[o, j, i] in order of j. y has `shape` and starts as the caller left it (zeros for a
/// gradient). T is float, double or int64_t.
template <class T>
void index_add(const T* source, const std::int64_t* index, std::int64_t count, T* y, Collapsed shape);

/// y[o, j, i] = x[o, index[o, j, i], i]: index and y are (outer, count, inner).
void take_along(const void* x, Collapsed shape, const std::int64_t* index, std::int64_t count, void* y, int width);

/// y[o, index[o, j, i], i] += source[o, j, i] in order of j. T is float, double or int64_t.
template <class T>
void scatter_add_along(const T* source, const std::int64_t* index, std::int64_t count, T* y, Collapsed shape);

/// y[j] = x[j, labels[j]], x being {n, classes}; 0 where the label is `ignored`. T is float or double, here and below.
template <class T>
void take_labelled(const T* x, const std::int64_t* labels, std::int64_t ignored, T* y, std::int64_t n,
                   std::int64_t classes);

/// y[j, c] = x[j] where c is labels[j] and not `ignored`, else 0.
template <class T>
void place_labelled(const T* x, const std::int64_t* labels, std::int64_t ignored, T* y, std::int64_t n,
                    std::int64_t classes);

/// y[j, c] = (c == index[j]).
void one_hot(const std::int64_t* index, std::int64_t* y, std::int64_t n, std::int64_t classes);

}  // namespace weft::detail

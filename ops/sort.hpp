#pragma once
// What goes by the order of the values along an axis. Any dtype, unless said otherwise. A nan is larger than all
// numbers; of equal values the first comes first. The gradient of a value goes to the element that was chosen for it.
#include <weft/engine/tensor.hpp>

namespace weft {

/// Values in order, and their positions (i64) along the axis: `auto [values, indices] = sort(a);`.
struct Ordered {
  Tensor values, indices;
};

/// The values from the smallest to the largest or, descending, the other way round.
Ordered sort(const Tensor& a, int axis = -1, bool descending = false);
/// The positions of sort.
Tensor argsort(const Tensor& a, int axis = -1, bool descending = false);
/// The k largest, from the largest on, or the k smallest, from the smallest on.
Ordered topk(const Tensor& a, std::int64_t k, int axis = -1, bool largest = true);
/// The value in the middle, of an even number the lower of the two; nan if there is one. Throws Error for an empty
/// axis.
Tensor median(const Tensor& a, int axis = -1, bool keepdims = false);
/// The value below which the fraction q of the others lies, f32 and f64: at position q (size - 1) of the sorted ones,
/// interpolated linearly between two neighbours; nan if there is one. Throws Error unless 0 <= q <= 1, and for an empty
/// axis.
Tensor quantile(const Tensor& a, double q, int axis = -1, bool keepdims = false);

}  // namespace weft

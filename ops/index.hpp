#pragma once
// Choosing by index. An index is i64 and counts from 0. A value chosen twice gets both gradients.
#include <weft/engine/tensor.hpp>

namespace weft {

/// Rows of `a` along an axis, at the positions in `index` (one axis).
Tensor index_select(const Tensor& a, int axis, const Tensor& index);
/// For each element of `index` the value of `a` at that position along the axis; on the other axes the two are
/// broadcast (NumPy's take_along_axis).
Tensor take_along(const Tensor& a, int axis, const Tensor& index);
/// The same without broadcasting: on the other axes `index` may be smaller than `a`, whose first values then count
/// (PyTorch's gather).
Tensor gather(const Tensor& a, int axis, const Tensor& index);
/// `a` with each element of `source` added at the position along the axis that `index`, of the same shape, gives for
/// it; on the other axes both may be smaller than `a`. f32, f64 and i64.
Tensor scatter_add(const Tensor& a, int axis, const Tensor& index, const Tensor& source);
/// a[..., labels[...]], `a` being f32 or f64 {labels..., classes}: {labels...}. 0, with no gradient, where a label is
/// `ignored`; the others lie in [0, classes).
Tensor take_labelled(const Tensor& a, const Tensor& labels, std::int64_t ignored = -100);
/// The rows of a table {count, features} at an index of any shape: {index..., features}.
Tensor embedding(const Tensor& table, const Tensor& index);
/// i64 with a last axis of `classes`: 1 at the position that `index` gives, else 0.
Tensor one_hot(const Tensor& index, std::int64_t classes);

namespace detail {
/// Throws Error naming `op` unless scores are f32 or f64 {labels..., classes} and labels i64, in [0, classes) or
/// ignored; returns how many are not ignored.
std::int64_t check_labels(const char* op, const Tensor& scores, const Tensor& labels, std::int64_t ignored);
}  // namespace detail

}  // namespace weft

#pragma once
// Reductions. `axes` is one axis or a list, negative ones count from the end, none means all; with keepdims the reduced
// axes stay with size 1.
#include <weft/engine/ops_needed.hpp>
#include <weft/engine/tensor.hpp>

namespace weft {

/// The sum; of u8 in i64. Of nothing: 0. (sum_to is declared in engine/ops_needed.hpp.)
Tensor sum(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
/// The mean, f32 and f64; of u8, such as comparisons give, in f32. Throws Error for an empty axis.
Tensor mean(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
/// The product; of u8 in i64. Of nothing: 1. The gradient is the product of the others, also beside zeros; by
/// division, so that it is lost with a product of all that overflows or underflows f64 (in PyTorch f32).
Tensor prod(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
/// The largest (smallest) value; nan if there is one. Equal ones share the gradient; that of a nan is nan along axes
/// that are named, shared by the nans where all are reduced (PyTorch's amax and max). Throws Error for an empty axis.
Tensor max(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
Tensor min(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
/// The variance, f32 and f64: squared deviations from the mean over (count - correction); nan where that is 0 or less.
Tensor var(const Tensor& a, const Axes& axes = {}, bool keepdims = false, double correction = 1);
/// The square root of the variance. Its gradient is 0 where it is 0.
Tensor stddev(const Tensor& a, const Axes& axes = {}, bool keepdims = false, double correction = 1);
/// The p-norm, sum(|a|^p)^(1/p), for p > 0, f32 and f64; infinite p: the largest absolute value. Of nothing: 0 (throws
/// Error for infinite p). The gradient is 0 where the norm is 0, and along elements that are 0.
Tensor norm(const Tensor& a, const Axes& axes = {}, bool keepdims = false, double p = 2);
/// log(sum(exp(a))), without overflow, f32 and f64. Of nothing: minus infinity.
Tensor logsumexp(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
/// The position (i64) of the largest (smallest) value along one axis: the first of equal ones, a nan before all.
Tensor argmax(const Tensor& a, int axis, bool keepdims = false);
Tensor argmin(const Tensor& a, int axis, bool keepdims = false);
/// Whether any value, whether every value is not 0 (nan is not): 1 or 0, u8. Of nothing: 0 and 1.
Tensor any(const Tensor& a, const Axes& axes = {}, bool keepdims = false);
Tensor all(const Tensor& a, const Axes& axes = {}, bool keepdims = false);

}  // namespace weft

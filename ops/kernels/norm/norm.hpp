#pragma once
// Normalisation of (rows, width) data: layer norm along each row, moments down each column (batch_norm.hpp uses them),
// group norm over groups of columns. T is float or double. weight and bias may be null (1 and 0); so may any gradient
// that is not wanted. Variances are biased (divided by n).
#include <cstdint>

namespace weft::detail {

/// y = (x - mean) * rstd * weight + bias for each row, with rstd = 1 / sqrt(variance + eps); mean and rstd are (rows).
/// Ba, Kiros, Hinton 2016 (1607.06450). Without mean (null) none is taken off, and the variance is the mean square: RMS
/// norm, Zhang and Sennrich 2019 (1910.07467).
template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, std::int64_t rows,
                std::int64_t width);

/// Gradients of layer_norm from its saved mean (or without, as there) and rstd; dx, dweight, dbias may be null.
template <class T>
void layer_norm_backward(const T* x, const T* dy, const T* weight, const T* mean, const T* rstd, T* dx, T* dweight,
                         T* dbias, std::int64_t rows, std::int64_t width);

/// Means and biased variances of the columns; any magnitude of mean is safe.
template <class T>
void column_moments(const T* x, T* mean, T* variance, std::int64_t rows, std::int64_t channels);

/// The sizes of a group norm: `images` of `pixels` x `channels`; statistics are of an image's channels of one group.
/// There may be no image; all else is at least 1.
struct GroupShape {
  std::int64_t images, pixels, channels, groups;
};

/// y = (x - mean) * rstd * weight + bias; mean and rstd are (images, groups). Wu and He 2018 (1803.08494).
template <class T>
void group_norm(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, const GroupShape& s);

/// Gradients of group_norm from its saved mean and rstd; dx, dweight, dbias may be null.
template <class T>
void group_norm_backward(const T* x, const T* dy, const T* weight, const T* mean, const T* rstd, T* dx, T* dweight,
                         T* dbias, const GroupShape& s);

}  // namespace weft::detail

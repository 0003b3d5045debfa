#pragma once
// Normalisation of (rows, width) data: layer norm along each row, batch norm down each column. T is float or double.
// weight and bias may be null (1 and 0); so may any gradient that is not wanted. Variances are biased (divided by n).
#include <cstdint>

namespace weft::detail {

/// y = (x - mean) * rstd * weight + bias for each row, with rstd = 1 / sqrt(variance + eps); mean and rstd are (rows).
/// Ba, Kiros, Hinton 2016 (1607.06450).
template <class T>
void layer_norm(const T* x, const T* weight, const T* bias, double eps, T* y, T* mean, T* rstd, std::int64_t rows,
                std::int64_t width);

/// Gradients of layer_norm from its saved mean and rstd; dx, dweight, dbias may be null.
template <class T>
void layer_norm_backward(const T* x, const T* dy, const T* weight, const T* mean, const T* rstd, T* dx, T* dweight,
                         T* dbias, std::int64_t rows, std::int64_t width);

/// Means and biased variances of the columns; any magnitude of mean is safe.
template <class T>
void column_moments(const T* x, T* mean, T* variance, std::int64_t rows, std::int64_t channels);

/// y = (x - mean) / sqrt(variance + eps) * weight + bias with the given statistics.
/// Training is column_moments, then this. Ioffe, Szegedy 2015 (1502.03167).
template <class T>
void batch_norm(const T* x, const T* mean, const T* variance, const T* weight, const T* bias, double eps, T* y,
                std::int64_t rows, std::int64_t channels);

/// Gradients; where mean and variance are x's own (training), through them too.
template <class T>
void batch_norm_backward(const T* x, const T* dy, const T* mean, const T* variance, const T* weight, double eps,
                         bool training, T* dx, T* dweight, T* dbias, std::int64_t rows, std::int64_t channels);

}  // namespace weft::detail

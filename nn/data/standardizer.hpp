#pragma once
// Columns of mean 0 and standard deviation 1.
#include <weft/nn/stateful.hpp>

namespace weft::nn {

/// Subtracts each column's mean and divides by its standard deviation, both of the training examples alone
/// (scikit-learn's StandardScaler), and undoes it for predictions:
///
///     nn::Standardizer inputs(train.x), outputs(train.y);
///     train.x = inputs.apply(train.x);                          // and test.x = inputs.apply(test.x)
///     Tensor prediction = outputs.invert(net(inputs.apply(x)));
///
/// Columns are the last axis; a column that is constant is moved to 0 and not scaled. Computed in double; gradients
/// flow through apply and invert. To keep one: write_safetensors(path, s.state()),
/// s.load_state(read_safetensors(path).tensors).
class Standardizer : public Stateful {
 public:
  /// Knows nothing yet: to load_state into.
  Standardizer() = default;
  /// Mean and standard deviation (divided by n) over all but the last axis of x {..., columns}, f32 or f64. Throws
  /// Error if there are no values or a column has one that is not finite.
  explicit Standardizer(const Tensor& x);

  /// (x - mean) / stddev of x {..., columns}, in its dtype, f32 or f64.
  Tensor apply(const Tensor& x) const;
  /// The inverse: x * stddev + mean.
  Tensor invert(const Tensor& x) const;

  /// What is subtracted, f64 {columns}; undefined before there is any.
  const Tensor& mean() const { return mean_; }
  /// What is divided by, f64 {columns}: 1 for constant columns.
  const Tensor& stddev() const { return stddev_; }

  /// "mean" and "stddev".
  NamedTensors state() const override;
  std::function<void()> prepare_load(const NamedTensors& state) override;

 private:
  void check(const char* op, const Tensor& x) const;

  Tensor mean_, stddev_;
};

}  // namespace weft::nn

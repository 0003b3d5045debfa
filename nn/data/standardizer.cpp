#include <weft/nn/data/standardizer.hpp>

#include <cmath>
#include <limits>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/data/dataset.hpp>
#include <weft/nn/detail/text.hpp>
#include <weft/ops/arithmetic.hpp>

namespace weft::nn {

Standardizer::Standardizer(const Tensor& x) {
  detail::check_floating("Standardizer", x);
  ChannelStats stats = channel_stats(x);
  const std::int64_t rows = x.size() / x.size(-1);
  for (std::size_t i = 0; i < stats.mean.size(); ++i) {
    if (!std::isfinite(stats.stddev[i])) fail("Standardizer: got values that are not finite in column ", i);
    // The mean of equal values is not exactly their value: below this the difference is rounding.
    const double rounding =
        static_cast<double>(rows) * std::abs(stats.mean[i]) * std::numeric_limits<double>::epsilon();
    if (stats.stddev[i] <= rounding) stats.stddev[i] = 1;
  }
  const auto columns = static_cast<std::int64_t>(stats.mean.size());
  mean_ = tensor(stats.mean, {columns}, f64);
  stddev_ = tensor(stats.stddev, {columns}, f64);
}

void Standardizer::check(const char* op, const Tensor& x) const {
  if (!mean_.defined()) fail(op, ": got no statistics yet, needs training examples or a saved state");
  detail::check_floating(op, x);
  if (x.rank() < 1 || x.size(-1) != mean_.size()) fail(op, ": got ", x.shape(), ", needs {..., ", mean_.size(), "}");
}

Tensor Standardizer::apply(const Tensor& x) const {
  check("Standardizer::apply", x);
  return ((x.to(f64) - mean_) / stddev_).to(x.dtype());
}

Tensor Standardizer::invert(const Tensor& x) const {
  check("Standardizer::invert", x);
  return (x.to(f64) * stddev_ + mean_).to(x.dtype());
}

NamedTensors Standardizer::state() const {
  if (!mean_.defined()) return {};
  return {{"mean", mean_.clone()}, {"stddev", stddev_.clone()}};
}

std::function<void()> Standardizer::prepare_load(const NamedTensors& state) {
  Tensor mean, stddev;
  for (const auto& [name, t] : state) {
    if (name != "mean" && name != "stddev") fail("Standardizer: got a state with ", detail::in_quotes(name));
    if (!t.defined() || t.dtype() != f64 || t.rank() != 1 || t.size() == 0)
      fail("Standardizer: got a state whose ", name, " is not f64 {columns}");
    (name == "mean" ? mean : stddev) = t;
  }
  if (!mean.defined() || !stddev.defined()) fail("Standardizer: got a state without mean or stddev, needs both");
  if (mean.size() != stddev.size())
    fail("Standardizer: got a mean ", mean.shape(), " and a stddev ", stddev.shape(), ", needs as many in both");
  if (mean_.defined() && mean.size() != mean_.size())
    fail("Standardizer: got a state of ", mean.size(), " columns, needs ", mean_.size());
  for (const double m : mean.data<double>())
    if (!std::isfinite(m)) fail("Standardizer: got a state with the mean ", m);
  for (const double s : stddev.data<double>())
    if (!(std::isfinite(s) && s > 0)) fail("Standardizer: got a state with the stddev ", s, ", needs more than 0");
  const NoGrad off;
  return [this, mean = mean.clone(), stddev = stddev.clone()] {
    mean_ = mean;
    stddev_ = stddev;
  };
}

}  // namespace weft::nn

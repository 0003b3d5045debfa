#include <weft/nn/init.hpp>

#include <cmath>

#include <weft/engine/grad_mode.hpp>
#include <weft/engine/random.hpp>

namespace weft::nn {
namespace {

struct Fans {
  double in, out;
};

Fans fans_of(const char* op, const Tensor& weight) {
  const int rank = weight.rank();
  if (rank < 2) fail(op, ": got ", weight.shape(), ", needs {..., in, out}");
  double window = 1;
  for (int i = 0; i + 2 < rank; ++i) window *= static_cast<double>(weight.shape()[i]);
  return {window * static_cast<double>(weight.size(-2)), window * static_cast<double>(weight.size(-1))};
}

void draw(Tensor weight, Distribution distribution, double deviation) {
  if (distribution == Distribution::normal)
    normal_(weight, 0.0, deviation);
  else
    uniform_(weight, -std::sqrt(3.0) * deviation, std::sqrt(3.0) * deviation);
}

// Makes the `count` vectors of `length` numbers orthonormal, in order (Gram and Schmidt). Twice is enough (Kahan).
void orthonormalise(std::vector<double>& vectors, std::size_t count, std::size_t length) {
  for (std::size_t i = 0; i < count; ++i) {
    double* v = &vectors[i * length];
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t j = 0; j < i; ++j) {
        const double* u = &vectors[j * length];
        double along = 0;
        for (std::size_t k = 0; k < length; ++k) along += u[k] * v[k];
        for (std::size_t k = 0; k < length; ++k) v[k] -= along * u[k];
      }
    }
    double norm = 0;
    for (std::size_t k = 0; k < length; ++k) norm += v[k] * v[k];
    for (std::size_t k = 0; k < length; ++k) v[k] /= std::sqrt(norm);
  }
}

}  // namespace

void uniform_(Tensor t, double low, double high) {
  const NoGrad off;
  t.copy_(rand(t.shape(), t.dtype()).mul_(high - low).add_(low));
}

void normal_(Tensor t, double mean, double deviation) {
  const NoGrad off;
  t.copy_(randn(t.shape(), t.dtype()).mul_(deviation).add_(mean));
}

void zeros_(Tensor t) { constant_(t, 0.0); }

void constant_(Tensor t, double value) {
  const NoGrad off;
  t.fill_(value);
}

void xavier_(Tensor weight, XavierOptions options) {
  const Fans fans = fans_of("xavier_", weight);
  draw(weight, options.distribution, options.gain * std::sqrt(2.0 / (fans.in + fans.out)));
}

void kaiming_(Tensor weight, KaimingOptions options) {
  const Fans fans = fans_of("kaiming_", weight);
  const double fan = options.fan == Fan::in ? fans.in : fans.out;
  const double slope = options.negative_slope;
  draw(weight, options.distribution, std::sqrt(2.0 / ((1.0 + slope * slope) * fan)));
}

void orthogonal_(Tensor weight, double gain) {
  const auto rows = static_cast<std::size_t>(fans_of("orthogonal_", weight).in);
  const auto columns = static_cast<std::size_t>(weight.size(-1));
  const std::size_t count = std::min(rows, columns), length = std::max(rows, columns);
  const Shape flat{static_cast<std::int64_t>(count), static_cast<std::int64_t>(length)};
  const Tensor normal = randn(flat, f64);
  std::vector<double> vectors(normal.data<double>().begin(), normal.data<double>().end());
  orthonormalise(vectors, count, length);
  const NoGrad off;
  detail::visit_floating(weight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::span<T> out = weight.mutable_data<T>();
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c)
        out[r * columns + c] = static_cast<T>(gain * vectors[rows <= columns ? r * columns + c : c * rows + r]);
  });
}

}  // namespace weft::nn

#include "mixture.hpp"

#include <cmath>
#include <numbers>

#include <weft/weft.hpp>

using namespace weft;

namespace {

Tensor unit_vector(std::int64_t size, Generator& generator) {
  const Tensor v = randn({size, 1}, f64, generator);
  return v / std::sqrt(sum(square(v)).item());
}

// The Hermite polynomials of second degree of all pairs of inputs, each of variance 1.
Tensor pairs_of(const Tensor& x) {
  Tensors columns;
  for (std::int64_t i = 0; i < x.size(1); ++i)
    for (std::int64_t j = i; j < x.size(1); ++j) {
      const Tensor product = slice(x, 1, i, i + 1) * slice(x, 1, j, j + 1);
      columns.push_back(i == j ? (product - 1.0) / std::numbers::sqrt2 : product);
    }
  return concat(columns, 1);
}

}  // namespace

Rows draw_rows(const Mixture& mixture, std::int64_t train, std::int64_t test, std::uint64_t seed) {
  Generator generator(seed);
  const Tensor line = unit_vector(mixture.inputs, generator),
               form = unit_vector(mixture.inputs * (mixture.inputs + 1) / 2, generator);
  const auto draw = [&](std::int64_t rows, double noise) {
    const Tensor x = randn({rows, mixture.inputs}, f64, generator);
    const Tensor y = std::sqrt(mixture.linear_share) * matmul(x, line) +
                     std::sqrt(1 - mixture.linear_share) * matmul(pairs_of(x), form);
    return nn::Dataset{x, y + noise * randn({rows, 1}, f64, generator)};
  };
  Rows rows;
  rows.test = draw(test, 0);
  rows.train = draw(train, mixture.noise);
  return rows;
}

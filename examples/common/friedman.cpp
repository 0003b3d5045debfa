#include "friedman.hpp"

#include <weft/weft.hpp>

#include <numbers>

namespace common {

using namespace weft;

namespace {

struct Inputs {
  Tensor x, noise;
  Tensor operator[](int column) const { return slice(x, 1, column, column + 1); }
};

Inputs draw_inputs(std::int64_t rows, DType dtype, Generator& generator) {
  Tensor x = rand({rows, 10}, dtype, generator);
  return {x, randn({rows, 1}, dtype, generator)};
}

}  // namespace

nn::Dataset friedman1(std::int64_t rows, DType dtype, Generator& generator) {
  const Inputs in = draw_inputs(rows, dtype, generator);
  return {in.x, 10.0 * sin(std::numbers::pi * in[0] * in[1]) + 20.0 * square(in[2] - 0.5) + 10.0 * in[3] + 5.0 * in[4] +
                    in.noise};
}

nn::Dataset straight_friedman1(std::int64_t rows, DType dtype, Generator& generator) {
  const Inputs in = draw_inputs(rows, dtype, generator);
  return {in.x, 10.0 * in[0] + 10.0 * in[1] - 5.0 * in[2] + 10.0 * in[3] + 5.0 * in[4] + in.noise};
}

void standardise(nn::Dataset& train, nn::Dataset& test) {
  const nn::Standardizer inputs(train.x), outputs(train.y);
  for (nn::Dataset* part : {&train, &test}) part->x = inputs.apply(part->x), part->y = outputs.apply(part->y);
}

}  // namespace common

#include <weft/nn/layers/bilinear.hpp>

#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/matmul.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

Bilinear::Bilinear(std::int64_t first, std::int64_t second, std::int64_t out, BilinearOptions options)
    : weight{this, "weight", (detail::check_positive("Bilinear", {first, second, out}), empty({first, second, out}))},
      bias{this, "bias", options.bias ? empty({out}) : Tensor()} {
  const double bound = 1.0 / std::sqrt(static_cast<double>(first));
  uniform_(weight, -bound, bound);
  if (options.bias) uniform_(bias, -bound, bound);
}

Tensor Bilinear::forward(const Tensor& a, const Tensor& b) {
  const std::int64_t second = weight.size(1), out = weight.size(2);
  detail::check_input("Bilinear", a, 0, weight.size(0));
  detail::check_input("Bilinear", b, 0, second);
  // Of each a the matrix that b is multiplied with.
  const Tensor rows = matmul(a, reshape(weight, {weight.size(0), second * out}));
  Shape matrices = rows.shape();
  matrices[-1] = second;
  matrices.append(out);
  const Tensor y = squeeze(matmul(unsqueeze(b, -2), reshape(rows, matrices)), -2);
  return bias.defined() ? y + bias : y;
}

std::vector<int> Bilinear::pytorch_axes(std::string_view parameter) const {
  return parameter == "weight" ? std::vector{2, 0, 1} : std::vector<int>();
}

}  // namespace weft::nn

#include <weft/nn/layers/linear.hpp>

#include <cmath>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/matmul.hpp>

namespace weft::nn {

Linear::Linear(std::int64_t in, std::int64_t out, LinearOptions options)
    : weight{this, "weight", (detail::check_positive("Linear", {in, out}), empty({in, out}))},
      bias{this, "bias", options.bias ? empty({out}) : Tensor()} {
  const double bound = 1.0 / std::sqrt(static_cast<double>(in));
  uniform_(weight, -bound, bound);
  if (options.bias) uniform_(bias, -bound, bound);
}

Tensor Linear::forward(const Tensor& x) {
  detail::check_input("Linear", x, 0, weight.size(0));
  return linear(x, weight, bias);
}

std::int64_t Linear::multiply_adds(const Shape&, const Shape& output) const { return output.size() * weight.size(0); }

std::vector<int> Linear::pytorch_axes(std::string_view parameter) const {
  return parameter == "weight" ? std::vector{1, 0} : std::vector<int>();
}

}  // namespace weft::nn

#include <weft/nn/layers/projection.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/nn/init.hpp>
#include <weft/ops/matmul.hpp>

namespace weft::nn {

Projection::Projection(std::int64_t in, std::int64_t out, ProjectionOptions o)
    : weight{this, "weight", (detail::check_positive("Projection", {in, out, o.stride}), empty({in, out}))},
      options(o) {
  kaiming_(weight);
  if (options.norm) norm_.emplace(this, "norm", out);
}

Tensor Projection::forward(const Tensor& x) {
  const Tensor y = linear(detail::every_stride("Projection", x, weight.size(0), options.stride), weight);
  return norm_ ? (*norm_)(y) : y;
}

std::int64_t Projection::multiply_adds(const Shape&, const Shape& output) const {
  return output.size() * weight.size(0);
}

std::vector<int> Projection::pytorch_axes(std::string_view parameter) const {
  return parameter == "weight" ? std::vector{1, 0, -1, -1} : std::vector<int>();
}

}  // namespace weft::nn

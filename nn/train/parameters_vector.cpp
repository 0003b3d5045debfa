#include <weft/nn/train/parameters_vector.hpp>

#include <weft/engine/grad_mode.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

Tensor parameters_to_vector(const Tensors& parameters) {
  Tensors flat;
  for (const Tensor& p : parameters) flat.push_back(reshape(p, {-1}));
  return concat(flat, 0);
}

void vector_to_parameters(const Tensor& vector, const Tensors& parameters) {
  std::int64_t count = 0;
  for (const Tensor& p : parameters) {
    detail::check_same_dtype("vector_to_parameters", vector, p);
    count += p.size();
  }
  if (vector.rank() != 1 || vector.size() != count)
    fail("vector_to_parameters: got shape ", vector.shape(), ", needs {", count, "}");
  const NoGrad off;
  std::int64_t start = 0;
  for (Tensor p : parameters) {
    p.copy_(reshape(slice(vector, 0, start, start + p.size()), p.shape()));
    start += p.size();
  }
}

}  // namespace weft::nn

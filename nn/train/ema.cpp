#include <weft/nn/train/ema.hpp>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/clone.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {

Ema::Ema(Module& module, double decay) : decay_(decay) {
  detail::check_fraction("Ema", "decay", decay);
  average_ = clone(module);
  average_->eval();
  average_->freeze();
  for (const auto list : {&Module::named_parameters, &Module::named_buffers}) {
    const NamedTensors mine = (average_.get()->*list)(), original = (module.*list)();
    for (std::size_t i = 0; i < mine.size(); ++i) pairs_.emplace_back(mine[i].second, original[i].second);
  }
}

void Ema::update() {
  const NoGrad off;
  for (auto& [average, value] : pairs_)
    average.copy_(is_floating(average.dtype()) ? lerp(value, average, decay_) : value);
}

Tensor parameters_to_vector(const Tensors& parameters) {
  Tensors flat;
  for (const Tensor& p : parameters) flat.push_back(reshape(p, {-1}));
  return concat(flat, 0);
}

void vector_to_parameters(const Tensor& vector, const Tensors& parameters) {
  std::int64_t count = 0;
  for (const Tensor& p : parameters) count += p.size();
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

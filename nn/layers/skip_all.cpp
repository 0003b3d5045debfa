#include <weft/nn/layers/skip_all.hpp>

#include <weft/engine/create.hpp>
#include <weft/nn/detail/inputs.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reshape.hpp>

namespace weft::nn {
namespace {

Tensor first_weights(std::size_t bodies) {
  std::vector<float> values;
  for (std::size_t l = 0; l < bodies; ++l) {
    values.insert(values.end(), l, 1 / static_cast<float>(l));
    values.push_back(1);
  }
  return tensor(values);
}

}  // namespace

SkipAll::SkipAll(std::vector<ModulePtr> of, SkipAllOptions options) : bodies{this, "bodies", std::move(of)} {
  if (options.adaptive)
    adaptive_.emplace(this, "weights", first_weights(bodies->size()));
  else
    fixed_.emplace(this, "weights", first_weights(bodies->size()));
}

Tensor SkipAll::weights() const { return adaptive_ ? Tensor(*adaptive_) : Tensor(*fixed_); }

Tensor SkipAll::forward(const Tensor& x) {
  if (bodies->size() == 0) return x;
  const Tensors weight = split(weights(), 1);
  auto next = weight.begin();
  Tensors h = {x};
  for (const Child<Module>& body : *bodies) {
    Tensor y = body(h.back());
    detail::check_kept("SkipAll", x, y);
    for (const Tensor& earlier : h) y = y + *next++ * earlier;
    h.push_back(std::move(y));
  }
  return h.back();
}

}  // namespace weft::nn

#include <weft/nn/train/ema.hpp>

#include <weft/engine/grad_mode.hpp>
#include <weft/nn/clone.hpp>
#include <weft/nn/detail/checks.hpp>
#include <weft/ops/arithmetic.hpp>

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

}  // namespace weft::nn

#include <weft/nn/containers.hpp>

#include <algorithm>

#include <weft/engine/checkpoint.hpp>

namespace weft::nn {

ModuleList::ModuleList(std::vector<ModulePtr> modules) {
  for (ModulePtr& module : modules) append(std::move(module));
}

void ModuleList::append(ModulePtr module) {
  modules_.emplace_back(this, std::to_string(modules_.size()), std::move(module));
}

Module& ModuleList::operator[](std::size_t i) const {
  if (i >= modules_.size()) fail("ModuleList: got the index ", i, " of ", modules_.size(), " modules");
  return *modules_[i];
}

Tensor Sequential::forward(const Tensor& x) {
  if (checkpoint_every < 0) fail("Sequential: got checkpoint_every ", checkpoint_every, ", needs 0 or more");
  Tensor y = x;
  if (checkpoint_every == 0) {
    for (const auto& module : *this) y = module(y);
    return y;
  }
  for (auto run = begin(); run != end();) {
    const auto stop = run + std::min(checkpoint_every, end() - run);
    // Backward may come when this is elsewhere: the modules are held, not the list.
    y = checkpoint(
        [modules = std::vector<ModulePtr>(run, stop)](Tensor h) {
          for (const ModulePtr& module : modules) h = (*module)(h);
          return h;
        },
        y);
    run = stop;
  }
  return y;
}

}  // namespace weft::nn

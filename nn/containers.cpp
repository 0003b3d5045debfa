#include <weft/nn/containers.hpp>

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
  Tensor y = x;
  for (const auto& module : *this) y = module(y);
  return y;
}

}  // namespace weft::nn

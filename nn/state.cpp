#include <weft/nn/state.hpp>

#include <weft/nn/detail/matched.hpp>
#include <weft/nn/detail/module_access.hpp>

namespace weft::nn {

NamedTensors state(const Module& module) {
  NamedTensors tensors = ModuleAccess::tensors(module);
  for (auto& [name, t] : tensors) t = t.detach().clone();
  return tensors;
}

LoadReport load_state(Module& module, const NamedTensors& saved, const LoadOptions& options) {
  detail::Match match = detail::match("load_state: the state", saved, ModuleAccess::tensors(module), options);
  match.load();
  return std::move(match.report);
}

}  // namespace weft::nn

#include <weft/nn/detail/module_access.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <typeinfo>

namespace weft::nn {

NamedTensors ModuleAccess::tensors(const Module& module) {
  NamedTensors all = module.named_parameters();
  const NamedTensors buffers = module.named_buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
}

NamedTensors ModuleAccess::tensors_to_save(const char* op, const Module& module) {
  NamedTensors all = tensors(module);
  if (all.empty())
    fail(op, ": got a ", type_name(module),
         " without parameters or buffers, needs some (are its layers Child members?)");
  return all;
}

std::int64_t ModuleAccess::own_parameters(const Module& module) {
  std::int64_t count = 0;
  for (const Module::Entry& entry : module.entries_)
    if (entry.kind == Module::Kind::parameter) count += entry.tensor.size();
  return count;
}

bool ModuleAccess::has_children(const Module& module) {
  for (const Module::Entry& entry : module.entries_)
    if (entry.kind == Module::Kind::child) return true;
  return false;
}

std::string ModuleAccess::place(const Module& module) {
  return module.name_ ? weft::detail::path_of_scope(module.name_->scope()) : std::string();
}

std::string type_name(const Module& module) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(typeid(module).name(), nullptr, nullptr, &status), &std::free);
  std::string name = status == 0 ? text.get() : typeid(module).name();
  for (const char* space : {"weft::nn::", "(anonymous namespace)::"})
    for (std::size_t at; (at = name.find(space)) != std::string::npos;) name.erase(at, std::string(space).size());
  return name;
}

}  // namespace weft::nn

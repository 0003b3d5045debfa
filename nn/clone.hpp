#pragma once
// Deep copies of modules.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// Internal: of a module whose type is known at run time only.
ModulePtr clone_of(const Module& module);

/// A deep copy of a module of any type: parameters, buffers and children of its own, with the values, names, dtypes and
/// modes of the original and without gradients and hooks. What the original shares between its parts is shared between
/// the copy's. All else is copied as C++ copies the members of a struct: a plain Tensor or a pointer is the original's,
/// and a function that has captured the original goes on meaning that one.
///
/// `Net b = a` is the same copy in another place. A module needs to be copyable, which a struct of Child, Param, Buffer
/// and copyable members is by itself, and where it is known as a ModulePtr only, to have been made by make or Child.
/// Throws Error if it is not, and if a child or tensor was registered by name alone and so cannot be exchanged.
template <std::derived_from<Module> T>
std::shared_ptr<T> clone(const T& module) {
  if constexpr (std::is_copy_constructible_v<T>)
    if (typeid(module) == typeid(T)) return Module::remember(std::make_shared<T>(module));
  return std::dynamic_pointer_cast<T>(clone_of(module));
}
template <std::derived_from<Module> T>
std::shared_ptr<T> clone(const std::shared_ptr<T>& module) {
  if (!module) fail("clone: got a null module");
  return clone(*module);
}

}  // namespace weft::nn

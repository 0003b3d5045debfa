#pragma once
// Modules that hold modules, and functions as modules.
#include <weft/nn/module.hpp>

namespace weft::nn {

/// Modules by number, named "0", "1", ...; what they compute is up to the owner's forward.
class ModuleList : public Module {
 public:
  explicit ModuleList(std::vector<ModulePtr> modules = {});
  explicit ModuleList(std::initializer_list<ModulePtr> modules) : ModuleList(std::vector<ModulePtr>(modules)) {}
  template <class... M>
    requires(sizeof...(M) > 0 && (std::convertible_to<M, ModulePtr> && ...))
  explicit ModuleList(M&&... modules) : ModuleList(std::vector<ModulePtr>{std::forward<M>(modules)...}) {}

  void append(ModulePtr module);
  std::size_t size() const { return modules_.size(); }
  /// Throws Error if there are not that many.
  Module& operator[](std::size_t i) const;
  auto begin() const { return modules_.begin(); }
  auto end() const { return modules_.end(); }

 private:
  std::vector<ModulePtr> modules_;
};

/// One module after another.
class Sequential : public ModuleList {
 public:
  using ModuleList::ModuleList;
  Tensor forward(const Tensor& x) override;
};

/// A function as a module.
class Lambda : public Module {
 public:
  explicit Lambda(std::function<Tensor(const Tensor&)> function) : function_(std::move(function)) {}
  Tensor forward(const Tensor& x) override { return function_(x); }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

}  // namespace weft::nn

#pragma once
// Modules that hold modules, and functions as modules.
#include <weft/engine/function.hpp>
#include <weft/nn/module.hpp>

namespace weft::nn {

/// Modules by number, named "0", "1", ...; what they compute is up to the owner's forward.
class ModuleList : public Module {
  // What is to be copied, moved or taken as it is.
  template <class M>
  static constexpr bool is_list = std::derived_from<std::remove_cvref_t<M>, ModuleList> ||
                                  std::same_as<std::remove_cvref_t<M>, std::vector<ModulePtr>> ||
                                  std::same_as<std::remove_cvref_t<M>, std::initializer_list<ModulePtr>>;

 public:
  explicit ModuleList(std::vector<ModulePtr> modules = {});
  explicit ModuleList(std::initializer_list<ModulePtr> modules) : ModuleList(std::vector<ModulePtr>(modules)) {}
  /// From pointers, as make gives them, and modules made on the spot: `Sequential(Linear(3, 16), Lambda(tanh))`.
  template <class... M>
    requires(sizeof...(M) > 0 && !(sizeof...(M) == 1 && (is_list<M> && ...)))
  explicit ModuleList(M&&... modules) { (append(pointer(std::forward<M>(modules))), ...); }

  void append(ModulePtr module);
  template <std::derived_from<Module> T>
  void append(std::shared_ptr<T> module) {
    append(ModulePtr(remember(std::move(module))));
  }
  std::size_t size() const { return modules_.size(); }
  /// Throws Error if there are not that many.
  Module& operator[](std::size_t i) const;
  /// Each is a Child<Module>: called like a function, or taken as the ModulePtr that it is.
  auto begin() const { return modules_.begin(); }
  auto end() const { return modules_.end(); }

 private:
  template <class M>
  static auto pointer(M&& module) {
    if constexpr (std::convertible_to<M, ModulePtr>)
      return std::forward<M>(module);
    else if constexpr (!std::derived_from<std::remove_cvref_t<M>, Module>)
      static_assert(sizeof(M) == 0, "a list of modules takes modules, Linear(3, 4), or pointers, make<Linear>(3, 4)");
    else if constexpr (std::is_lvalue_reference_v<M>)
      static_assert(sizeof(M) == 0, "a list of modules takes a named module over only by std::move, or as a pointer");
    else
      return std::make_shared<M>(std::forward<M>(module));
  }

  std::vector<Child<Module>> modules_;
};

/// One module after another.
class Sequential : public ModuleList {
 public:
  using ModuleList::ModuleList;
  Tensor forward(const Tensor& x) override;

  /// Runs of so many modules keep only what goes into them and are computed again in backward (weft::checkpoint):
  /// memory for a third more time. 0: none is.
  std::int64_t checkpoint_every = 0;
};

/// A function as a module: a lambda, or the name of an op as in `Lambda(relu)`.
class Lambda : public Module {
 public:
  explicit Lambda(Function function) : function_(std::move(function)) {}
  Tensor forward(const Tensor& x) override { return function_(x); }

 private:
  Function function_;
};

}  // namespace weft::nn

#pragma once
// Modules: structs whose declared children, parameters and buffers register themselves.
#include <weft/engine/scope.hpp>
#include <weft/nn/named_tensors.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

namespace weft::nn {

class Module;
using ModulePtr = std::shared_ptr<Module>;

/// Called after a module's forward; what it returns replaces the output, an undefined tensor leaves it. Of a forward of
/// several tensors it is given the first, if a Child called it and it gives a Tensor. One that calls its own module
/// again is called again for that: without an end, the stack overflows.
using ForwardHook = std::function<Tensor(Module& module, const Tensor& input, const Tensor& output)>;

/// Called in backward with the gradient of what a module gave; what it returns replaces the gradient, an undefined
/// tensor leaves it.
using BackwardHook = std::function<Tensor(Module& module, const Tensor& gradient)>;

/// Names a registered hook of modules, to take it off again.
class ModuleHookHandle {
 public:
  ModuleHookHandle() = default;
  explicit ModuleHookHandle(std::weak_ptr<ForwardHook> hook) : hook_(std::move(hook)) {}
  /// The hook is not called any more.
  void remove() {
    if (auto hook = hook_.lock()) *hook = nullptr;
  }

 private:
  std::weak_ptr<ForwardHook> hook_;
};

/// Base of Child, Param and Buffer. The registry that one was declared in knows where it is, though the module is
/// moved, and in a copy of the module its copy is the new module's own.
class Member {
 protected:
  Member() = default;
  Member(const Member& other);
  Member(Member&& other) noexcept;
  Member& operator=(const Member&) { return *this; }  // NOLINT(bugprone-unhandled-self-assignment): does nothing
  Member& operator=(Member&& other) noexcept;
  ~Member();

  // What a member is given that has just been copied with its module; nothing if it was copied by itself.
  ModulePtr copied_child();
  Tensor copied_tensor();

 private:
  friend class Module;
  friend struct ModuleAccess;
  struct Slot {
    Member* member = nullptr;  // null: not there (any more)
    ModulePtr child;           // of a copy, until its member is there
    Tensor tensor;             // likewise, and what functional_call has given in place of the registry's
  };
  std::shared_ptr<Slot> slot_;  // shared with the registry; null: a handle by itself
};

/// Base of every layer and net. A net is a struct that derives from it, declares Child, Param and Buffer members, and
/// overrides forward with plain code. It may be moved. A copy is deep, as clone() says. A struct that claims to be
/// copyable and is not, say for a std::vector of std::unique_ptr, deletes its copy constructor. A layer as a plain
/// member is not known to the net: when it is called there, a line on stderr says so, once.
class Module {
 public:
  virtual ~Module();

  /// The module's function. The default throws Error, for modules whose forward takes something else.
  virtual Tensor forward(const Tensor& x);
  /// forward, then the forward hooks. An Error thrown inside begins with the dotted path of the innermost module.
  Tensor operator()(const Tensor& x);

  /// Parameters of this module and everything below it, in the order of declaration; shared ones once. The tensors are
  /// handles: changing one changes the module.
  Tensors parameters() const;
  /// The same with dotted names ("block.conv1.weight"); a shared one has its first name.
  NamedTensors named_parameters() const;
  /// What is saved but not trained, such as running statistics.
  NamedTensors named_buffers() const;
  /// This module (named "") and everything below it, each once.
  std::vector<std::pair<std::string, Module*>> named_modules();
  /// The module with this dotted name. Throws Error if there is none.
  Module& at(std::string_view path);

  /// Sets whether this module and everything below it train (dropout, batch norm's statistics).
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }
  /// Converts parameters, their gradients and floating buffers to f32 or f64, in place: handles elsewhere see it too,
  /// and backward through a graph that was recorded before throws Error.
  void to(DType dtype);
  /// Forgets the gradients of all parameters.
  void zero_grad();
  /// Parameters stop (or start again) to require gradients.
  void freeze(bool frozen = true);

  /// What a pattern of dotted names means, "stage2.*" or "*.conv?", as in a shell; here * and ? stand for dots too.
  /// A name without *, ? and [ means the one module at(name). Throws Error if there is none.
  std::vector<std::pair<std::string, Module*>> matching(std::string_view pattern);
  /// Calls `hook` after each forward of the modules that the pattern means ("" is this one).
  ModuleHookHandle register_forward_hook(std::string_view pattern, ForwardHook hook);
  /// The same for a function that returns nothing.
  template <class F>
    requires std::is_void_v<std::invoke_result_t<F&, Module&, const Tensor&, const Tensor&>> ModuleHookHandle
    register_forward_hook(std::string_view pattern, F look) {
      return register_forward_hook(
          pattern, ForwardHook([look = std::move(look)](Module& m, const Tensor& x, const Tensor& y) mutable {
            look(m, x, y);
            return Tensor();
          }));
    }
  /// Calls `hook` when backward has the gradient of what such a module gave, once for each of its calls that is
  /// connected to the loss.
  ModuleHookHandle register_backward_hook(std::string_view pattern, BackwardHook hook);
  template <class F>
    requires std::is_void_v<std::invoke_result_t<F&, Module&, const Tensor&>> ModuleHookHandle
    register_backward_hook(std::string_view pattern, F look) {
      return register_backward_hook(pattern, BackwardHook([look = std::move(look)](Module& m, const Tensor& g) mutable {
                                      look(m, g);
                                      return Tensor();
                                    }));
    }

  /// Internal: remembers how to copy a module of this type, for clone().
  template <class T>
  static std::shared_ptr<T> remember(std::shared_ptr<T> module) {
    if constexpr (std::is_copy_constructible_v<T>)
      if (const T* known = module.get(); known != nullptr && typeid(*known) == typeid(T)) module->copy_ = &copy_of<T>;
    return module;
  }

  /// Multiplications with addition of one forward from `input` to `output`, those of children left out: for summary().
  virtual std::int64_t multiply_adds(const Shape& input, const Shape& output) const;

  /// For load_pytorch() and save_pytorch(), of this module's own parameter or buffer of that name: which of our axes
  /// each of PyTorch's is. {1, 0} for a Linear's weight, which is {in, out} here and {out, in} there; -1 for an axis of
  /// size 1 that only PyTorch has. By default empty: the axes are the same.
  virtual std::vector<int> pytorch_axes(std::string_view parameter) const;

 protected:
  Module() = default;
  // Deep; without the forward hooks. Throws Error if a child cannot be copied or a member is not Child, Param or
  // Buffer.
  Module(const Module& other);
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;

  // Calls f as forward is called: errors, and what is recorded, know the module.
  template <class F>
  decltype(auto) inside(F&& f) const {
    const Running running(*this);
    try {
      return f();
    } catch (const Error&) {
      weft::detail::rethrow_with_path();
    }
  }

  // Whether a forward hook waits for the output.
  bool is_hooked() const;
  // The output after every forward hook has seen it.
  Tensor hooked(const Tensor& x, Tensor y);
  // The same of what f computes inside the module: for the operator() of a forward that takes more than x.
  template <class F>
  Tensor called(const Tensor& x, F&& f) {
    return inside([&] { return hooked(x, f()); });
  }

  // Under a name that is new here, not empty, without dots and slashes. An undefined tensor is not registered.
  void add_child(std::string name, ModulePtr child);
  void add_parameter(std::string name, Tensor parameter);
  void add_buffer(std::string name, Tensor buffer);

 private:
  // While it lives, the thread is in the module's part. Throws Error if the module has been moved from.
  class Running {
   public:
    [[nodiscard]] explicit Running(const Module& module);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Scope scope_;
    const Module* outer_;
  };

  friend struct ModuleAccess;
  template <class M, class... Args>
  friend decltype(auto) functional_call(M& module, const NamedTensors& tensors, Args&&... args);
  template <class T>
  friend class Child;
  friend class Param;
  friend class Buffer;

  enum class Kind : std::uint8_t { child, parameter, buffer };
  struct Entry {
    std::string name;
    Kind kind;
    ModulePtr child;
    Tensor tensor;
    std::shared_ptr<Member::Slot> slot = nullptr;  // null: registered without a member
  };
  void add(Entry entry);
  // The entry that was added last is this member's.
  void follow(Member& member);
  template <class T>
  static Module* copy_of(const Module& module) {
    Module* copy = new T(dynamic_cast<const T&>(module));
    copy->copy_ = &copy_of<T>;
    return copy;
  }

  const std::shared_ptr<weft::detail::ScopeName>& checked_name() const;
  void warn_of_no_owner(const Module& outer) const;

  std::shared_ptr<weft::detail::ScopeName> name_ = std::make_shared<weft::detail::ScopeName>();
  std::vector<Entry> entries_;  // in the order of declaration
  std::vector<std::shared_ptr<ForwardHook>> hooks_;
  Module* (*copy_)(const Module& module) = nullptr;  // a new one, by itself; null: not known how
  bool training_ = true;
  mutable bool warned_ = false;
};

/// A new module on the heap: `make<Linear>(3, 16)`. A ModulePtr whatever the module, so that one may be chosen by ?: ;
/// std::make_shared gives the type.
template <std::derived_from<Module> T, class... Args>
ModulePtr make(Args&&... args) {
  if constexpr (std::constructible_from<T, Args...>)
    return Module::remember(
        std::shared_ptr<T>(new T(std::forward<Args>(args)...)));  // make_shared would bury what T says of mistakes
  else
    static_assert(sizeof(T) == 0, "make: the module has no constructor that takes these");
}
/// The same with options in braces, `make<Linear>(3, 16, {.bias = false})`, of a module that calls their type Options.
template <std::derived_from<Module> T>
ModulePtr make(typename T::Options options) {
  return Module::remember(std::make_shared<T>(std::move(options)));
}
template <std::derived_from<Module> T, class A>
ModulePtr make(A&& a, typename T::Options options) {
  return Module::remember(std::make_shared<T>(std::forward<A>(a), std::move(options)));
}
template <std::derived_from<Module> T, class A, class B>
ModulePtr make(A&& a, B&& b, typename T::Options options) {
  return Module::remember(std::make_shared<T>(std::forward<A>(a), std::forward<B>(b), std::move(options)));
}

[[noreturn]] void moved_from(const std::string& what);

/// A module inside a module: `Child<Linear> hidden{this, "hidden", 3, 16}` builds and registers it, with options in
/// braces as make does. Called like a function; `->` for the rest. Child<Module> takes a ModulePtr and holds any kind.
template <class T>
class Child : public Member {
 public:
  template <class... Args>
  Child(Module* owner, std::string name, Args&&... args) : module_(build(std::forward<Args>(args)...)) {
    owner->add_child(std::move(name), module_);
    owner->follow(*this);
  }
  template <class U = T>
  Child(Module* owner, std::string name, typename U::Options options)
      : Child(owner, std::move(name), build(std::move(options))) {}
  template <class... Args>
  Child(const char*, Args&&...) {
    static_assert(sizeof(T) == 0, "Child: the owner, this, comes before the name");
  }
  template <class A, class U = T>
  Child(Module* owner, std::string name, A&& a, typename U::Options options)
      : Child(owner, std::move(name), build(std::forward<A>(a), std::move(options))) {}
  template <class A, class B, class U = T>
  Child(Module* owner, std::string name, A&& a, B&& b, typename U::Options options)
      : Child(owner, std::move(name), build(std::forward<A>(a), std::forward<B>(b), std::move(options))) {}

  Child(const Child& other) : Member(other), module_(other.module_) {
    if (ModulePtr copy = copied_child()) module_ = std::dynamic_pointer_cast<T>(std::move(copy));
  }
  Child(Child&&) noexcept = default;
  Child& operator=(const Child&) = default;
  Child& operator=(Child&&) noexcept = default;
  ~Child() = default;

  template <class... Args>
  decltype(auto) operator()(Args&&... args) const {
    T& module = **this;
    if constexpr (requires { module(std::forward<Args>(args)...); })
      return module(std::forward<Args>(args)...);
    else
      return module.inside([&]() -> decltype(auto) { return call(std::forward<Args>(args)...); });
  }
  T* operator->() const { return &**this; }
  T& operator*() const {
    if (!module_) moved_from("Child");
    return *module_;
  }
  /// To share the module: hand it to another Child or container.
  const std::shared_ptr<T>& ptr() const { return module_; }
  operator const std::shared_ptr<T>&() const { return module_; }

 private:
  template <class... Args>
  static std::shared_ptr<T> build(Args&&... args) {
    if constexpr (sizeof...(Args) == 1 && (std::convertible_to<Args, std::shared_ptr<T>> && ...))
      return Module::remember(std::shared_ptr<T>(std::forward<Args>(args)...));
    else if constexpr (std::constructible_from<T, Args...>)
      return Module::remember(std::shared_ptr<T>(new T(std::forward<Args>(args)...)));  // as in make
    else
      static_assert(sizeof(T) == 0, "Child: the module has no constructor that takes what follows the name");
  }
  template <class First, class... Rest>
  decltype(auto) call(First&& first, Rest&&... rest) const {
    using Result = decltype(module_->forward(std::forward<First>(first), std::forward<Rest>(rest)...));
    if constexpr (std::derived_from<std::remove_cvref_t<First>, Tensor> && std::same_as<Result, Tensor>) {
      const Tensor x = first;
      return module_->hooked(x, module_->forward(std::forward<First>(first), std::forward<Rest>(rest)...));
    } else {
      return module_->forward(std::forward<First>(first), std::forward<Rest>(rest)...);
    }
  }
  decltype(auto) call() const { return module_->forward(); }

  std::shared_ptr<T> module_;
};

/// A tensor that a module knows by name. It is a Tensor; change it in place, under NoGrad: = and += would make it
/// another than the registered one, and do not compile. To tie weights, share the module that holds them:
/// `Child<Linear> decoder{this, "decoder", encoder.ptr()}`.
class Registered : public Tensor, public Member {
 public:
  Registered(const Registered& other) : Tensor(other), Member(other) {
    if (Tensor copy = copied_tensor(); copy.defined()) Tensor::operator=(std::move(copy));
  }
  Registered(Registered&&) noexcept = default;
  Registered& operator=(const Registered&) = delete;
  Registered& operator=(Registered&&) noexcept = default;  // modules may be moved
  ~Registered() = default;
  template <class T>
  Registered& operator+=(const T&) = delete;
  template <class T>
  Registered& operator-=(const T&) = delete;
  template <class T>
  Registered& operator*=(const T&) = delete;
  template <class T>
  Registered& operator/=(const T&) = delete;

 protected:
  explicit Registered(Tensor value) : Tensor(std::move(value)) {}
};

/// A trained tensor of a module: `Param scale{this, "scale", ones({n})}`. It is a Tensor that requires a gradient. An
/// undefined value registers nothing.
class Param : public Registered {
 public:
  Param(Module* owner, std::string name, Tensor value);
};

/// A tensor of a module that is saved but not trained.
class Buffer : public Registered {
 public:
  Buffer(Module* owner, std::string name, Tensor value);
};

/// A test helper: the leaves that `result` depends on and that require a gradient but are no parameter of the module,
/// each as a line with name, dtype, shape and the op that uses it. Empty if nothing was forgotten.
std::vector<std::string> unregistered_leaves(const Module& module, const Tensor& result);

}  // namespace weft::nn

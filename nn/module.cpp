#include <weft/nn/module.hpp>

#include <fnmatch.h>
#include <algorithm>
#include <iostream>
#include <unordered_set>

#include <weft/engine/create.hpp>
#include <weft/engine/detail/node.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/detail/module_access.hpp>

namespace weft::nn {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

template <class F>
void ModuleAccess::walk(const Module& module, const std::string& prefix, std::unordered_set<const Module*>& seen,
                        const F& f) {
  if (!seen.insert(&module).second) return;
  for (const Module::Entry& entry : module.entries_) {
    const std::string name = joined(prefix, entry.name);
    f(module, name, entry);
    if (entry.kind == Module::Kind::child) walk(*entry.child, name, seen, f);
  }
}

bool ModuleAccess::holds(const Module& module, const Module& wanted) {
  if (&module == &wanted) return true;
  bool found = false;
  std::unordered_set<const Module*> seen;
  walk(module, "", seen,
       [&](const Module&, const std::string&, const Module::Entry& entry) { found |= entry.child.get() == &wanted; });
  return found;
}

Tensor ModuleAccess::tensor(const Module::Entry& entry) {
  return entry.slot && entry.slot->tensor.defined() ? entry.slot->tensor : entry.tensor;
}

template <class F>
void ModuleAccess::each_tensor(const Module& module, bool parameters, const F& f) {
  std::unordered_set<const Module*> seen;
  std::unordered_set<const void*> known;
  const auto kind = parameters ? Module::Kind::parameter : Module::Kind::buffer;
  walk(module, "", seen, [&](const Module& owner, const std::string& name, const Module::Entry& entry) {
    if (entry.kind == kind && known.insert(entry.tensor.impl()).second) f(owner, name, entry);
  });
}

NamedTensors ModuleAccess::tensors(const Module& module, bool parameters) {
  NamedTensors result;
  each_tensor(module, parameters, [&](const Module&, const std::string& name, const Module::Entry& entry) {
    result.emplace_back(name, tensor(entry));
  });
  return result;
}

std::vector<std::vector<int>> ModuleAccess::pytorch_axes(const Module& module) {
  std::vector<std::vector<int>> result;
  for (const bool parameters : {true, false})
    each_tensor(module, parameters, [&](const Module& owner, const std::string&, const Module::Entry& entry) {
      result.push_back(owner.pytorch_axes(entry.name));
    });
  return result;
}

Module::~Module() = default;

void moved_from(const std::string& what) { fail(what, ": the module has been moved from"); }

namespace {
thread_local const Module* innermost = nullptr;  // whose forward runs
}  // namespace

Module::Running::Running(const Module& module) : scope_(module.checked_name()->scope()), outer_(innermost) {
  if (outer_ != nullptr && outer_ != &module && !module.warned_ && !module.name_->has_outer())
    module.warn_of_no_owner(*outer_);
  innermost = &module;
}

Module::Running::~Running() { innermost = outer_; }

const std::shared_ptr<weft::detail::ScopeName>& Module::checked_name() const {
  if (!name_) moved_from(type_name(*this));
  return name_;
}

void Module::warn_of_no_owner(const Module& outer) const {
  const Tensors mine = parameters();
  if (std::none_of(mine.begin(), mine.end(), [](const Tensor& p) { return p.requires_grad(); })) return;
  warned_ = true;
  std::cerr << "weft: warning: a " << type_name(*this) << " is called in the forward of " << type_name(outer)
            << " but is no Child of it: its parameters are not trained or saved with it\n";
}

Tensor Module::forward(const Tensor& x) {
  fail(type_name(*this), ": got ", x.dtype(), " ", x.shape(), ", has no forward of one tensor");
}

Tensor Module::operator()(const Tensor& x) {
  return called(x, [&] { return forward(x); });
}

bool Module::is_hooked() const {
  return std::any_of(hooks_.begin(), hooks_.end(), [](const auto& hook) { return *hook != nullptr; });
}

Tensor Module::hooked(const Tensor& x, Tensor y) {
  // A hook may add or remove hooks: only those there before are called, each held while it runs.
  const std::size_t count = hooks_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto hook = hooks_[i];
    if (!*hook) continue;
    const ForwardHook call = *hook;
    if (Tensor replaced = call(*this, x, y); replaced.defined()) y = std::move(replaced);
  }
  return y;
}

Tensors Module::parameters() const {
  Tensors result;
  for (auto& [name, tensor] : named_parameters()) result.push_back(tensor);
  return result;
}

NamedTensors Module::named_parameters() const { return ModuleAccess::tensors(*this, true); }

NamedTensors Module::named_buffers() const { return ModuleAccess::tensors(*this, false); }

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> result{{"", this}};
  std::unordered_set<const Module*> seen, known{this};
  ModuleAccess::walk(*this, "", seen, [&](const Module&, const std::string& name, const Entry& entry) {
    if (entry.kind == Kind::child && known.insert(entry.child.get()).second)
      result.emplace_back(name, entry.child.get());
  });
  return result;
}

Module& Module::at(std::string_view path) {
  Module* here = this;
  for (std::size_t begin = 0; !path.empty() && begin <= path.size();) {
    const std::size_t dot = std::min(path.find('.', begin), path.size());
    const std::string_view name = path.substr(begin, dot - begin);
    begin = dot + 1;
    const auto found = std::find_if(here->entries_.begin(), here->entries_.end(),
                                    [&](const Entry& e) { return e.kind == Kind::child && e.name == name; });
    if (found == here->entries_.end())
      fail("module: no \"", path, "\" in this ", type_name(*this), ": ", type_name(*here), " has no child \"", name,
           "\"");
    here = found->child.get();
  }
  return *here;
}

void Module::train(bool on) {
  for (auto& [name, module] : named_modules()) module->training_ = on;
}

void Module::to(DType dtype) {
  if (!is_floating(dtype)) fail("to: got ", dtype, " for a module, needs f32 or f64");
  const NoGrad off;
  const auto convert = [dtype](const NamedTensors& tensors) {
    for (auto [name, tensor] : tensors) {
      if (!is_floating(tensor.dtype()) || tensor.dtype() == dtype) continue;
      const Tensor gradient = tensor.grad();
      const Tensor converted = tensor.detach().to(dtype);
      // The object behind the handles changes, so that an optimiser's handles stay those of this module. To a graph
      // that has saved the tensor this is a write in place.
      converted.impl()->storage->version = tensor.impl()->storage->version + 1;
      tensor.impl()->storage = converted.impl()->storage;
      tensor.impl()->dtype = dtype;
      if (gradient.defined()) tensor.set_grad(gradient.detach().to(dtype));
    }
  };
  convert(named_parameters());
  convert(named_buffers());
}

void Module::zero_grad() {
  for (Tensor& p : parameters()) p.zero_grad();
}

void Module::freeze(bool frozen) {
  for (Tensor& p : parameters()) p.set_requires_grad(!frozen);
}

std::vector<std::pair<std::string, Module*>> Module::matching(std::string_view pattern) {
  const std::string text(pattern);
  if (text.find_first_of("*?[") == std::string::npos) return {{text, &at(pattern)}};
  auto found = named_modules();
  std::erase_if(found, [&](const auto& named) { return fnmatch(text.c_str(), named.first.c_str(), 0) != 0; });
  if (found.empty()) fail("module: no name in this ", type_name(*this), " is like \"", pattern, "\"");
  return found;
}

ModuleHookHandle Module::register_forward_hook(std::string_view pattern, ForwardHook hook) {
  const auto shared = std::make_shared<ForwardHook>(std::move(hook));
  for (auto& [name, module] : matching(pattern)) {
    std::erase_if(module->hooks_, [](const auto& h) { return !*h; });
    module->hooks_.push_back(shared);
  }
  return ModuleHookHandle(shared);
}

ModuleHookHandle Module::register_backward_hook(std::string_view pattern, BackwardHook hook) {
  // The forward hook alone keeps it: what is on the tape forgets it when that is taken off, or with the module.
  return register_forward_hook(
      pattern,
      [shared = std::make_shared<BackwardHook>(std::move(hook))](Module& module, const Tensor&,
                                                                 const Tensor& output) -> Tensor {
        if (Tensor y = output; y.requires_grad())
          y.register_hook([&module, weak = std::weak_ptr(shared)](const Tensor& gradient) -> Tensor {
            const auto call = weak.lock();
            return call ? (*call)(module, gradient) : Tensor();
          });
        return {};
      });
}

std::int64_t Module::multiply_adds(const Shape&, const Shape&) const { return 0; }

std::vector<int> Module::pytorch_axes(std::string_view) const { return {}; }

void Module::add(Entry entry) {
  // Dots join names, and in a checkpoint a slash follows "optimizer" and "schedule".
  if (entry.name.empty() || entry.name.find_first_of("./") != std::string::npos)
    fail(type_name(*this), ": got \"", entry.name, "\" as a member's name, needs one without dots and slashes");
  for (const Entry& other : entries_)
    if (other.name == entry.name) fail(type_name(*this), ": the name \"", entry.name, "\" is taken");
  entries_.push_back(std::move(entry));
}

void Module::follow(Member& member) {
  member.slot_ = std::make_shared<Member::Slot>();
  member.slot_->member = &member;
  entries_.back().slot = member.slot_;
}

void Module::add_child(std::string name, ModulePtr child) {
  if (!child) fail(type_name(*this), ": the child \"", name, "\" is null");
  if (ModuleAccess::holds(*child, *this))
    fail(type_name(*this), ": the child \"", name, "\" is or holds the module itself");
  const ModulePtr added = child;
  checked_name();
  add({name, Kind::child, std::move(child), Tensor()});
  if (added->name_) added->name_->place(std::move(name), name_);
}

void Module::add_parameter(std::string name, Tensor parameter) {
  if (!parameter.defined()) return;
  if (parameter.name().empty()) parameter.set_name(name);
  add({std::move(name), Kind::parameter, nullptr, std::move(parameter)});
}

void Module::add_buffer(std::string name, Tensor buffer) {
  if (!buffer.defined()) return;
  if (buffer.name().empty()) buffer.set_name(name);
  add({std::move(name), Kind::buffer, nullptr, std::move(buffer)});
}

Param::Param(Module* owner, std::string name, Tensor value)
    : Registered(!value.defined() || (value.is_leaf() && value.requires_grad()) ? std::move(value)
                                                                                : parameter(std::move(value))) {
  owner->add_parameter(std::move(name), *this);
  if (defined()) owner->follow(*this);
}

Buffer::Buffer(Module* owner, std::string name, Tensor value) : Registered(std::move(value)) {
  owner->add_buffer(std::move(name), *this);
  if (defined()) owner->follow(*this);
}

std::vector<std::string> unregistered_leaves(const Module& module, const Tensor& result) {
  std::unordered_set<const void*> known;
  for (const Tensor& p : module.parameters()) known.insert(p.impl());
  std::vector<std::string> lines;
  const auto visit_leaf = [&](detail::TensorImpl* leaf, const char* op) {
    if (!leaf->leaf_requires_grad || !known.insert(leaf).second) return;
    const Tensor tensor(detail::Ref<detail::TensorImpl>::share(leaf));
    const std::string name = tensor.name().empty() ? "unnamed" : tensor.name();
    lines.push_back(name + " " + name_of(tensor.dtype()) + " " + detail::to_text(tensor.shape()) + ", used by " + op);
  };
  if (result.is_leaf()) visit_leaf(result.impl(), "nothing");
  const std::vector<const Node*> nodes = detail::nodes_behind({result});
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node)  // what is nearest to the result first
    for (int i = 0; i < (*node)->input_count(); ++i)
      if (const auto& edge = (*node)->edge(i); edge.target != 0 && edge.is_leaf())
        visit_leaf(edge.leaf(), (*node)->op_name());
  return lines;
}

}  // namespace weft::nn

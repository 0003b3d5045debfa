#include <weft/nn/clone.hpp>

#include <exception>
#include <unordered_map>

#include <weft/nn/containers.hpp>
#include <weft/nn/detail/module_access.hpp>

namespace weft::nn {

// A module's registry is copied first, with everything below it; then its members are, as C++ does it, and each finds
// what the new registry has for it by the slot of the one that it is copied from.
struct ModuleAccess::Copies {
  using SlotPtr = std::shared_ptr<Member::Slot>;
  std::unordered_map<const Module*, ModulePtr> modules;  // the new for the old, of the outermost copy under way
  std::unordered_map<const void*, Tensor> tensors;
  int depth = 0;
  std::unordered_map<const Member::Slot*, std::pair<SlotPtr, SlotPtr>> waiting;  // old and new, by the old

  static Copies& of_thread() {
    thread_local Copies copies;
    return copies;
  }

  ModulePtr child(const ModulePtr& old) {
    const auto [at, fresh] = modules.try_emplace(old.get());
    if (!fresh) return at->second;
    ModulePtr copy = clone_of(*old);
    modules[old.get()] = copy;  // looked up again: copying has added others
    return copy;
  }

  Tensor tensor(const Tensor& old) {
    Tensor& copy = tensors[old.impl()];
    if (copy.defined()) return copy;
    copy = old.detach().clone();
    if (old.requires_grad()) copy.set_requires_grad(true);
    if (const std::string name = old.name(); !name.empty()) copy.set_name(name);
    return copy;
  }

  // From a registry's copy on until that is done.
  class Scope {
   public:
    Scope() { ++of_thread().depth; }
    ~Scope() {
      Copies& copies = of_thread();
      if (std::uncaught_exceptions() > exceptions_) copies.waiting.clear();
      if (--copies.depth > 0) return;
      copies.modules.clear();
      copies.tensors.clear();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    int exceptions_ = std::uncaught_exceptions();
  };
};

Module::Module(const Module& other) : training_(other.training_) {
  const ModuleAccess::Copies::Scope scope;
  auto& copies = ModuleAccess::Copies::of_thread();
  for (const Entry& entry : other.entries_) {
    if (!entry.slot || entry.slot->member == nullptr)
      fail("clone: ", type_name(other), " has registered \"", entry.name, "\" without ",
           entry.kind == Kind::child       ? "a Child, needs one as its member (or a ModuleList)"
           : entry.kind == Kind::parameter ? "a Param, needs one as its member"
                                           : "a Buffer, needs one as its member");
    auto slot = std::make_shared<Member::Slot>();
    if (entry.kind == Kind::child) {
      slot->child = copies.child(entry.child);
      if (slot->child->name_) slot->child->name_->place(entry.name, name_);
    } else {
      slot->tensor = copies.tensor(ModuleAccess::tensor(entry));
    }
    entries_.push_back({entry.name, entry.kind, slot->child, slot->tensor, slot});
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const auto& old = other.entries_[i].slot;
    copies.waiting[old.get()] = {old, entries_[i].slot};
  }
}

Member::Member(const Member& other) {
  if (!other.slot_) return;
  auto& waiting = ModuleAccess::Copies::of_thread().waiting;
  const auto at = waiting.find(other.slot_.get());
  if (at == waiting.end()) return;
  slot_ = std::move(at->second.second);
  slot_->member = this;
  waiting.erase(at);
}

Member::Member(Member&& other) noexcept : slot_(std::move(other.slot_)) {
  if (slot_) slot_->member = this;
}

Member& Member::operator=(Member&& other) noexcept {
  if (this == &other) return *this;
  if (slot_) slot_->member = nullptr;
  slot_ = std::move(other.slot_);
  if (slot_) slot_->member = this;
  return *this;
}

Member::~Member() {
  if (slot_) slot_->member = nullptr;
}

ModulePtr Member::copied_child() { return slot_ ? std::move(slot_->child) : nullptr; }

Tensor Member::copied_tensor() { return slot_ ? std::move(slot_->tensor) : Tensor(); }

ModulePtr ModuleAccess::copy(const Module& module) {
  // Containers are often made by std::make_shared, to append to.
  const auto make = module.copy_ != nullptr                ? module.copy_
                    : typeid(module) == typeid(Sequential) ? &Module::copy_of<Sequential>
                    : typeid(module) == typeid(ModuleList) ? &Module::copy_of<ModuleList>
                                                           : nullptr;
  if (make == nullptr) {
    const std::string type = type_name(module);
    fail("clone: got a ", type, " of which no copying is known, needs a copy constructor (a std::unique_ptr among the",
         " members leaves it without) and to be made by make<", type, "> or Child<", type, ">");
  }
  return ModulePtr(make(module));
}

ModulePtr clone_of(const Module& module) { return ModuleAccess::copy(module); }

}  // namespace weft::nn

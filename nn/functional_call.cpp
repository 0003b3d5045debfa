#include <weft/nn/functional_call.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include <weft/engine/detail/surroundings.hpp>
#include <weft/nn/detail/module_access.hpp>
#include <weft/nn/detail/text.hpp>

namespace weft::nn {
namespace {

// Modules whose tensors a thread has exchanged: other threads wait before they do so.
class Turns {
 public:
  void take(const std::vector<const Module*>& modules) {
    const auto me = std::this_thread::get_id();
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [&] {
      return std::all_of(modules.begin(), modules.end(), [&](const Module* module) {
        const auto at = holders_.find(module);
        return at == holders_.end() || at->second.thread == me;
      });
    });
    for (const Module* module : modules) {
      Holder& holder = holders_[module];
      holder.thread = me;
      ++holder.times;
    }
  }
  void give_back(const std::vector<const Module*>& modules) {
    {
      const std::lock_guard lock(mutex_);
      for (const Module* module : modules)
        if (const auto at = holders_.find(module); --at->second.times == 0) holders_.erase(at);
    }
    given_back_.notify_all();
  }
  static Turns& all() {
    static Turns turns;
    return turns;
  }

 private:
  struct Holder {
    std::thread::id thread;
    int times = 0;
  };
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::unordered_map<const Module*, Holder> holders_;
};

}  // namespace

// Which tensors stand in which members' place. The modules themselves are not touched: a checkpoint may come back to
// this when they are gone.
struct ModuleAccess::Exchange : weft::detail::Surrounding {
  using SlotPtr = std::shared_ptr<Member::Slot>;
  struct Item {
    SlotPtr slot;
    Tensor tensor;
  };
  std::vector<Item> items;
  std::vector<const Module*> modules;

  Exchange(Module& root, const NamedTensors& tensors) {
    const auto named = root.named_modules();
    std::unordered_map<const void*, const std::pair<std::string, Tensor>*> given;  // by the tensor whose place it takes
    std::map<std::string, const Module*, std::less<>> by_path;
    for (const auto& [path, module] : named) {
      modules.push_back(module);
      by_path.emplace(path, module);
    }
    for (const auto& replacement : tensors) {
      const Module::Entry& entry = find(root, by_path, replacement.first);
      check(replacement, entry.tensor);
      const auto [at, fresh] = given.try_emplace(entry.tensor.impl(), &replacement);
      if (!fresh && at->second->second.impl() != replacement.second.impl())
        fail("functional_call: got different tensors for ", weft::detail::in_quotes(at->second->first), " and ",
             weft::detail::in_quotes(replacement.first), ", which are one in this ", type_name(root));
    }
    for (const Module* module : modules) {
      for (const Module::Entry& entry : module->entries_) {
        const auto at = given.find(entry.tensor.impl());
        if (entry.kind == Module::Kind::child || at == given.end()) continue;
        if (!entry.slot || entry.slot->member == nullptr)
          fail("functional_call: ", type_name(*module), " has registered ", weft::detail::in_quotes(entry.name),
               " without a ", entry.kind == Module::Kind::parameter ? "Param" : "Buffer", ", needs one as its member");
        items.push_back({entry.slot, at->second->second});
      }
    }
  }

  std::shared_ptr<void> enter() const override { return std::make_shared<InForce>(*this); }

 private:
  static void check(const std::pair<std::string, Tensor>& replacement, const Tensor& own) {
    const auto& [name, t] = replacement;
    if (!t.defined()) fail("functional_call: got an undefined tensor for ", weft::detail::in_quotes(name));
    if (t.shape() != own.shape() || t.dtype() != own.dtype())
      fail("functional_call: got ", weft::detail::in_quotes(name), " as ", t.dtype(), " ", t.shape(), ", needs ",
           own.dtype(), " ", own.shape());
  }

  static const Module::Entry& find(Module& root, const std::map<std::string, const Module*, std::less<>>& by_path,
                                   const std::string& name) {
    const std::size_t dot = name.rfind('.');
    const std::string path = dot == std::string::npos ? "" : name.substr(0, dot), last = name.substr(dot + 1);
    const Module* module = nullptr;
    if (const auto at = by_path.find(path); at != by_path.end()) {
      module = at->second;
    } else {
      try {
        module = &root.at(path);  // another name of a shared module
      } catch (const Error&) {
      }
    }
    if (module != nullptr)
      for (const Module::Entry& entry : module->entries_)
        if (entry.kind != Module::Kind::child && entry.name == last) return entry;
    fail("functional_call: this ", type_name(root), " has no parameter or buffer ", weft::detail::in_quotes(name));
  }

  // While it lives, the members are handles to the given tensors; then again to those that they were before.
  class InForce {
   public:
    explicit InForce(const Exchange& exchange) : modules_(exchange.modules) {
      before_.reserve(exchange.items.size());
      Turns::all().take(modules_);
      for (const Item& item : exchange.items) {
        if (item.slot->member == nullptr) continue;  // gone, and nobody can ask for it
        Tensor& handle = handle_of(*item.slot);
        before_.push_back({item.slot, handle, item.slot->tensor});
        handle = item.tensor;
        item.slot->tensor = item.tensor;
      }
    }
    ~InForce() {
      for (; !before_.empty(); before_.pop_back()) {
        Before& last = before_.back();
        if (last.slot->member != nullptr) handle_of(*last.slot) = std::move(last.handle);
        last.slot->tensor = std::move(last.tensor);
      }
      Turns::all().give_back(modules_);
    }
    InForce(const InForce&) = delete;
    InForce& operator=(const InForce&) = delete;

   private:
    struct Before {
      SlotPtr slot;
      Tensor handle, tensor;
    };
    static Tensor& handle_of(const Member::Slot& slot) { return static_cast<Registered&>(*slot.member); }
    std::vector<const Module*> modules_;
    std::vector<Before> before_;
  };
};

Exchanged::Exchanged(Module& module, const NamedTensors& tensors) {
  scope_ = std::make_shared<weft::detail::Surrounded>(
      weft::detail::Surroundings{std::make_shared<ModuleAccess::Exchange>(module, tensors)});
}

Exchanged::~Exchanged() = default;

}  // namespace weft::nn

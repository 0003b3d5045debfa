#pragma once
// What few tensors and nodes carry.
#include <weft/engine/backward.hpp>
#include <weft/engine/detail/node.hpp>

#include <atomic>
#include <mutex>

namespace weft::detail {

class Recipe;

struct HookEntry {
  HookEntry(std::uint32_t of, Hook hook) : output(of), call(std::move(hook)) {}
  std::uint32_t output;
  Hook call;
  std::atomic<bool> removed{false};
};

/// The hooks of a leaf, or of all outputs of a node, in the order they were registered.
class HookList {
 public:
  /// Adds to `list`, which is made with its first hook.
  static HookHandle add(std::shared_ptr<HookList>& list, std::uint32_t output, Hook hook);
  void remove(const HookEntry* entry);
  /// The gradient of an output after every hook has seen it. Hooks may change the list meanwhile.
  Tensor run(std::uint32_t output, Tensor gradient);

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<HookEntry>> entries_;
};

/// Of a tensor: its gradient, name and hooks.
struct Extras {
  Tensor grad;
  std::string name;
  std::shared_ptr<HookList> hooks;  // of a leaf; those of a computed tensor are its node's
  Tensor rows;                      // see rows.hpp
  std::uint32_t rows_version = 0;   // of the storage when they were noted
  std::shared_ptr<Recipe> recipe;   // see recipe.hpp
  std::uint32_t recipe_version = 0;
  bool stands_in = false;  // for the value that the recipe makes
};

/// Of a node: what concerns its outputs.
struct NodeExtras {
  std::shared_ptr<HookList> hooks = std::make_shared<HookList>();
  std::vector<std::pair<std::uint32_t, std::weak_ptr<Extras>>> retained;  // outputs whose gradient is to be kept
  std::vector<void*> recorded_at;                                         // the calls that led there, under Anomaly
};

/// To be held where extras are made for a node or a leaf, or changed in a leaf, that threads may share.
extern constinit std::mutex extras_mutex;

Extras& extras_of(TensorImpl* impl);

/// What every write to a tensor raises: what was noted of it holds as long as this stays.
inline std::uint32_t version_of(const Tensor& t) { return t.impl()->storage->version.load(std::memory_order_relaxed); }

std::uint32_t new_number_of_constant(TensorImpl* impl);
/// The number by which the tape knows a constant again that several ops were given: nodes do not hold their constants,
/// only this, in bits that an edge to a constant does not need. From 1 to 2^24 - 1, then again: for drawings.
inline std::uint32_t number_of_constant(TensorImpl* impl) {
  const std::uint32_t number = impl->constant.load(std::memory_order_relaxed);
  return number != 0 ? number : new_number_of_constant(impl);
}
/// The own name of the constant with that number, as long as it lives.
std::string name_of_constant(std::uint32_t number);
/// To be called when a constant that has a number gets its extras.
void note_extras_of_constant(TensorImpl* impl);

/// As grad(), of what is connected: outputs that require no gradient are left out, with their grad_outputs, and inputs
/// that none depends on get an undefined gradient. With a floor only for a part of the tape: it ends at nodes older
/// than that; those among the inputs get their gradient, and neither their hooks nor a leaf's are called.
Tensors connected_gradients(const Tensors& outputs, const Tensors& inputs, const GradOptions& options,
                            std::uint64_t floor = 0);

/// Where the calls that led here return to, innermost first.
std::vector<void*> call_stack();
/// Their functions outside the library, for messages.
std::string described_calls(const std::vector<void*>& stack);

}  // namespace weft::detail

#pragma once
// Internal: what few tensors and nodes carry.
#include <weft/engine/backward.hpp>
#include <weft/engine/tape.hpp>

namespace weft::detail {

/// Of a tensor: its gradient, name and hooks.
struct Extras {
  Tensor grad;
  std::string name;
  std::vector<std::shared_ptr<Hook>> hooks;  // of a leaf; those of a computed tensor are its node's
};

/// Of a node: the hooks of its outputs, in the order they were registered.
struct NodeExtras {
  struct OutputHook {
    std::uint32_t output;
    std::shared_ptr<Hook> hook;
  };
  std::vector<OutputHook> hooks;
  std::vector<std::pair<std::uint32_t, std::weak_ptr<Extras>>> retained;  // outputs whose gradient is to be kept
  std::string recorded_at;
};

Extras& extras_of(TensorImpl* impl);

/// The gradient after every hook has seen it.
Tensor run_hooks(const std::vector<std::shared_ptr<Hook>>& hooks, Tensor gradient);

/// As grad(), for a part of the tape: nodes older than `floor` are where it ends. Those among the inputs get their
/// gradient, and neither their hooks nor a leaf's are called.
Tensors grad_down_to(std::uint64_t floor, const Tensors& outputs, const Tensors& inputs, const GradOptions& options);

bool anomaly_enabled();
/// The calling functions outside the library, innermost first, for messages.
std::string call_site();

}  // namespace weft::detail

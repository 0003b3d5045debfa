#pragma once
// Saved tensors brought together with those that they are for.
#include <weft/nn/state.hpp>

namespace weft::detail {

/// What is saved for which of the wanted tensors.
struct Match {
  Tensors from, to;  // as many of each
  nn::LoadReport report;

  /// Copies the saved values into the wanted tensors.
  void load();
};
/// Throws Error, which begins with `who`, as the options ask.
Match match(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted,
            const nn::LoadOptions& options);

/// The saved tensors in the order of `wanted`. Throws Error, which begins with `who`, unless the two have the same
/// names with the same shapes and dtypes.
Tensors matched(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted);

}  // namespace weft::detail

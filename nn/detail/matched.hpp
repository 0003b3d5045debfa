#pragma once
// Saved tensors brought together with those that they are for.
#include <weft/nn/state.hpp>

namespace weft::detail {

/// What has to be known of a tensor to find its place.
struct Described {
  std::string name;
  DType dtype;
  Shape shape;
};

/// What is saved for which of the wanted tensors, by number.
struct Pairing {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;  // {saved, wanted}
  nn::LoadReport report;
};
/// Brings together what has the same name and fits. Throws Error, which begins with `who`, as the options ask.
Pairing pair_up(const std::string& who, const std::vector<Described>& saved, const std::vector<Described>& wanted,
                const nn::LoadOptions& options, bool (*fits)(const Described& saved, const Described& wanted));

/// What is saved for which of the wanted tensors.
struct Match {
  Tensors from, to;  // as many of each
  nn::LoadReport report;

  /// Copies the saved values into the wanted tensors.
  void load();
};
/// What fits has the same shape and dtype.
Match match(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted,
            const nn::LoadOptions& options);

/// The saved tensors in the order of `wanted`. Throws Error, which begins with `who`, unless the two have the same
/// names with the same shapes and dtypes.
Tensors matched(const std::string& who, const nn::NamedTensors& saved, const nn::NamedTensors& wanted);

}  // namespace weft::detail

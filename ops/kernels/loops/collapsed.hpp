#pragma once
// The shape of a tensor seen from one axis, or from a run of neighbouring axes.
#include <cstdint>

namespace weft::detail {

/// Row-major data as (outer, axis, inner): element (o, a, i) lies at (o * axis + a) * inner + i.
struct Collapsed {
  std::int64_t outer = 1;
  std::int64_t axis = 1;
  std::int64_t inner = 1;

  std::int64_t size() const { return outer * axis * inner; }
};

}  // namespace weft::detail

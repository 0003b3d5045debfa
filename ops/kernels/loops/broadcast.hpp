#pragma once
// Broadcasting as loops: every set of operand shapes becomes a short list of sizes with a step for each operand.
#include <weft/engine/shape.hpp>

#include <array>
#include <cstdint>

namespace weft::detail {

/// Neighbouring axes along which every operand goes on the same way are merged, so that equal shapes become one axis, a
/// row or a column two. The innermost step of an operand is 1 (contiguous) or 0 (one value).
template <int N>
struct BroadcastLoop {
  int rank = 0;
  std::int64_t size[max_rank];
  std::int64_t step[N][max_rank];

  BroadcastLoop(const Shape& out, const std::array<Shape, N>& in) {
    std::int64_t stride[N];
    for (auto& s : stride) s = 1;
    // From the innermost axis out; `rank` counts merged axes, stored innermost first.
    for (int axis = out.rank() - 1, back = 1; axis >= 0; --axis, ++back) {
      if (out[axis] == 1) continue;
      std::int64_t s[N];
      for (int k = 0; k < N; ++k) {
        const std::int64_t d = back <= in[k].rank() ? in[k][in[k].rank() - back] : 1;
        s[k] = d == 1 ? 0 : stride[k];
        stride[k] *= d;
      }
      bool merge = rank > 0;
      for (int k = 0; k < N && merge; ++k) merge = s[k] == step[k][rank - 1] * size[rank - 1];
      if (merge) {
        size[rank - 1] *= out[axis];
      } else {
        size[rank] = out[axis];
        for (int k = 0; k < N; ++k) step[k][rank] = s[k];
        ++rank;
      }
    }
    if (rank == 0) {
      size[0] = out.size() == 0 ? 0 : 1;
      for (int k = 0; k < N; ++k) step[k][0] = 0;
      rank = 1;
    }
  }

  std::int64_t inner() const { return size[0]; }
  std::int64_t rows() const {
    std::int64_t n = 1;
    for (int a = 1; a < rank; ++a) n *= size[a];
    return n;
  }

  /// Calls row(out_offset, offsets, inner()) for rows [begin, end) in order.
  template <class F>
  void for_rows(std::int64_t begin, std::int64_t end, F&& row) const {
    if (begin >= end || inner() == 0) return;
    std::int64_t index[max_rank], at[N] = {};
    for (std::int64_t a = 1, rest = begin; a < rank; ++a) {
      index[a] = rest % size[a];
      rest /= size[a];
      for (int k = 0; k < N; ++k) at[k] += index[a] * step[k][a];
    }
    for (std::int64_t r = begin; r < end; ++r) {
      row(r * inner(), at);
      for (int a = 1; a < rank; ++a) {
        for (int k = 0; k < N; ++k) at[k] += step[k][a];
        if (++index[a] < size[a]) break;
        index[a] = 0;
        for (int k = 0; k < N; ++k) at[k] -= step[k][a] * size[a];
      }
    }
  }
};

}  // namespace weft::detail

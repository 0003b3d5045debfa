#pragma once
// Loops over several operands at once, each with steps of its own: what broadcasting, rearranging copies and batches of
// matrices come down to.
#include <weft/engine/shape.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace weft::detail {

/// One loop: how often, and how far each of N operands goes on a time, in elements; 0 stays, less than 0 goes back.
template <int N>
struct Loop {
  std::int64_t size;
  std::array<std::int64_t, N> step;
};

/// Loops inside one another. Without any, there is one position: the first.
template <int N>
class StridedLoops {
 public:
  int rank() const { return rank_; }
  const Loop<N>& operator[](int i) const { return loops_[i]; }  // innermost first

  /// How many positions there are.
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= loops_[i].size;
    return n;
  }

  /// Puts a loop around the others; merged with the outermost where every operand goes on the same way.
  void add_outer(const Loop<N>& loop) {
    if (loop.size == 1) return;
    if (rank_ > 0) {
      Loop<N>& last = loops_[rank_ - 1];
      bool goes_on = true;
      for (std::size_t k = 0; k < N; ++k) goes_on &= loop.step[k] == last.step[k] * last.size;
      if (goes_on) {
        last.size *= loop.size;
        return;
      }
    }
    loops_[rank_++] = loop;
  }

  /// Takes a loop out.
  Loop<N> take(int i) {
    const Loop<N> taken = loops_[i];
    --rank_;
    for (; i < rank_; ++i) loops_[i] = loops_[i + 1];
    return taken;
  }

  /// Calls f(position, offsets) for positions [begin, end) in order, the innermost loop running fastest. `offsets` says
  /// where each operand is.
  template <class F>
  void for_each(std::int64_t begin, std::int64_t end, F&& f) const {
    for_each_run(begin, end, [&](std::int64_t position, const std::int64_t* at, const Loop<N>& run) {
      std::int64_t here[N];
      std::copy_n(at, N, here);
      for (std::int64_t i = 0; i < run.size; ++i) {
        f(position + i, static_cast<const std::int64_t*>(here));
        for (std::size_t k = 0; k < N; ++k) here[k] += run.step[k];
      }
    });
  }

  /// The same by runs along the innermost loop: f(position, offsets, run), the first position's of each.
  template <class F>
  void for_each_run(std::int64_t begin, std::int64_t end, F&& f) const {
    if (begin >= end) return;
    std::int64_t index[max_rank], at[N] = {}, rest = begin;
    for (int i = 0; i < rank_; ++i) {
      index[i] = rest % loops_[i].size;
      rest /= loops_[i].size;
      for (std::size_t k = 0; k < N; ++k) at[k] += index[i] * loops_[i].step[k];
    }
    Loop<N> run = rank_ > 0 ? loops_[0] : Loop<N>{1, {}};
    for (std::int64_t position = begin, first = rank_ > 0 ? index[0] : 0; position < end; first = 0) {
      run.size = std::min((rank_ > 0 ? loops_[0].size : 1) - first, end - position);
      f(position, static_cast<const std::int64_t*>(at), static_cast<const Loop<N>&>(run));
      position += run.size;
      for (std::size_t k = 0; k < N; ++k) at[k] -= first * run.step[k];
      for (int i = 1; i < rank_; ++i) {
        const Loop<N>& loop = loops_[i];
        for (std::size_t k = 0; k < N; ++k) at[k] += loop.step[k];
        if (++index[i] < loop.size) break;
        index[i] = 0;
        for (std::size_t k = 0; k < N; ++k) at[k] -= loop.step[k] * loop.size;
      }
    }
  }

 private:
  int rank_ = 0;
  Loop<N> loops_[max_rank];  // beyond rank_: unset
};

/// The loops over a tensor of shape `out` that broadcast row-major operands to it.
template <int N>
StridedLoops<N> broadcast_loops(const Shape& out, const std::array<Shape, N>& in) {
  StridedLoops<N> loops;
  std::array<std::int64_t, N> stride;
  stride.fill(1);
  for (int axis = out.rank() - 1, back = 1; axis >= 0; --axis, ++back) {
    Loop<N> loop{out[axis], {}};
    for (std::size_t k = 0; k < N; ++k) {
      const std::int64_t size = back <= in[k].rank() ? in[k][in[k].rank() - back] : 1;
      loop.step[k] = size == 1 ? 0 : stride[k];
      stride[k] *= size;
    }
    loops.add_outer(loop);
  }
  return loops;
}

/// The same as rows, the innermost loop, in which an operand steps by 1 or 0, and the loops around them.
template <int N>
struct BroadcastRows {
  StridedLoops<N> rows;
  Loop<N> inner;

  BroadcastRows(const Shape& out, const std::array<Shape, N>& in) : rows(broadcast_loops<N>(out, in)) {
    inner = rows.rank() > 0 ? rows.take(0) : Loop<N>{1, {}};
  }
};

}  // namespace weft::detail

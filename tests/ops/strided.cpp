// The strided loops that broadcasts, copies and batches of matrices run on, beside an odometer over all axes.
#include <doctest/doctest.h>
#include <weft/ops/kernels/loops/strided.hpp>

#include <random>
#include <vector>

using namespace weft;
using detail::Loop;
using detail::StridedLoops;

namespace {

using Offsets = std::vector<std::array<std::int64_t, 3>>;

// Where three operands are at every index of the axes, the last axis running fastest.
Offsets by_index(const std::vector<Loop<3>>& axes) {
  Offsets places{{0, 0, 0}};
  for (const Loop<3>& axis : axes) {
    Offsets next;
    for (const auto& place : places)
      for (std::int64_t i = 0; i < axis.size; ++i) {
        next.push_back(place);
        for (std::size_t k = 0; k < 3; ++k) next.back()[k] += i * axis.step[k];
      }
    places = next;
  }
  return places;
}

StridedLoops<3> loops_of(const std::vector<Loop<3>>& axes) {
  StridedLoops<3> loops;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) loops.add_outer(*axis);
  return loops;
}

Offsets visited(const StridedLoops<3>& loops, std::int64_t begin, std::int64_t end) {
  Offsets places;
  loops.for_each(begin, end, [&](std::int64_t position, const std::int64_t* at) {
    CHECK(position == begin + static_cast<std::int64_t>(places.size()));
    places.push_back({at[0], at[1], at[2]});
  });
  return places;
}

}  // namespace

TEST_CASE("every position is visited in order, whatever the sizes and steps, and from anywhere to anywhere") {
  std::mt19937 random(3);
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random); };
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<Loop<3>> axes(static_cast<std::size_t>(draw(0, 6)));
    std::int64_t inner = 1;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
      const std::int64_t size = draw(trial % 10 == 0 ? 0 : 1, 4);
      // The first operand is contiguous, the second contiguous or broadcast, the third goes anywhere, also backwards.
      *axis = {size, {inner, draw(0, 1) * inner, draw(0, 2) == 0 ? draw(-9, 9) : -inner}};
      inner *= size;
    }
    const StridedLoops<3> loops = loops_of(axes);
    const Offsets expected = by_index(axes);
    const auto n = static_cast<std::int64_t>(expected.size());
    REQUIRE(loops.count() == n);
    CHECK(visited(loops, 0, n) == expected);
    const std::int64_t begin = draw(0, static_cast<int>(n)), end = draw(static_cast<int>(begin), static_cast<int>(n));
    CHECK(visited(loops, begin, end) == Offsets(expected.begin() + begin, expected.begin() + end));
  }
}

TEST_CASE("axes along which all operands go on are one loop; axes of size 1 are none") {
  const StridedLoops<3> flat = loops_of({{4, {30, 30, -30}}, {1, {7, 0, 5}}, {5, {6, 6, -6}}, {6, {1, 1, -1}}});
  CHECK(flat.rank() == 1);
  CHECK(flat[0].size == 120);
  CHECK(flat[0].step == std::array<std::int64_t, 3>{1, 1, -1});
  StridedLoops<3> rows = loops_of({{4, {30, 6, 0}}, {5, {6, 0, 0}}, {6, {1, 1, 0}}});
  REQUIRE(rows.rank() == 3);
  CHECK(rows.take(1).size == 5);
  CHECK(rows.rank() == 2);
  CHECK(visited(rows, 5, 7) == Offsets{{5, 5, 0}, {30, 6, 0}});
}

TEST_CASE("broadcast operands stay along the axes that they lack") {
  const auto loops = detail::broadcast_loops<3>({2, 3, 4}, {Shape{2, 3, 4}, Shape{4}, Shape{2, 1, 1}});
  CHECK(visited(loops, 0, 24) == by_index({{2, {12, 0, 1}}, {3, {4, 0, 0}}, {4, {1, 1, 0}}}));
  const detail::BroadcastRows<2> one({1, 1}, {Shape{}, Shape{1, 1}});
  CHECK(one.inner.size == 1);
  CHECK(one.rows.count() == 1);
}

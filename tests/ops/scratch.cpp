#include <doctest/doctest.h>
#include <tests/support/sanitized.hpp>

#include <set>
#include <thread>

#include <weft/ops/kernels/loops/scratch.hpp>

using weft::detail::ScratchOfParts;

namespace {

std::set<float*> places(const ScratchOfParts<float>& scratch, std::int64_t parts) {
  std::set<float*> found;
  for (std::int64_t part = 0; part < parts; ++part) {
    for (int i = 0; i < 100; ++i) scratch[part][i] = static_cast<float>(i);
    found.insert(scratch[part]);
  }
  return found;
}

}  // namespace

TEST_CASE("parts have memory of their own, as do a loop within a loop and another thread") {
  const ScratchOfParts<float> outer(3, 100);
  std::set<float*> all = places(outer, 3);
  const ScratchOfParts<float> inner(2, 100);
  all.merge(places(inner, 2));
  std::thread([&] {
    const ScratchOfParts<float> other(2, 100);
    all.merge(places(other, 2));
  }).join();
  CHECK(all.size() == 7);
}

TEST_CASE("the next loop's parts get what they had") {
  if (weft::test::sanitized) return;  // there, nothing is kept
  float *first = nullptr, *second = nullptr;
  {
    const ScratchOfParts<float> scratch(2, 5000);
    first = scratch[0];
    second = scratch[1];
  }
  for (const std::int64_t count : {1, 300, 5000}) {
    const ScratchOfParts<float> scratch(2, count);
    CHECK(scratch[0] == first);
    CHECK(scratch[1] == second);
  }
  // More than there is replaces it; what is very large is not kept.
  float* grown = nullptr;
  {
    const ScratchOfParts<float> scratch(1, 20000);
    grown = scratch[0];
    const ScratchOfParts<float> within(1, 20000);
    CHECK(grown != within[0]);
  }
  { const ScratchOfParts<float> huge(1, 1 << 20); }
  const ScratchOfParts<float> scratch(2, 20000);
  CHECK(scratch[1] != second);
}

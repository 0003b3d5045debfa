// What the process holds beside what its tensors need.
#include <doctest/doctest.h>
#include <unistd.h>
#include <tests/support/sanitized.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/memory.hpp>

#include <fstream>

using namespace weft;

namespace {

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double peak_bytes() { return static_cast<double>(memory_stats().peak_bytes); }

}  // namespace

TEST_CASE("a large block that was freed serves the next of its size, and no other size" *
          doctest::skip(test::sanitized)) {
  const Tensor held = empty({1 << 29}, u8);  // so much is needed that what is freed meanwhile stays
  const auto place = [](std::int64_t bytes) { return empty({bytes}, u8).data<std::uint8_t>().data(); };
  // Every class has eighths of a power of two; the last ones are mapped.
  for (std::int64_t power = 1 << 16; power < 1 << 23; power *= 2) {
    for (std::int64_t block = power + power / 8; block <= 2 * power; block += power / 8) {
      INFO(block, " bytes");
      const auto* const first = place(block);
      CHECK(place(block) == first);
      CHECK(place(block + 1) != first);
      CHECK(place(block - power / 8) != first);
    }
  }
}

TEST_CASE("a tensor as large as huge pages takes no more of them for its header" * doctest::skip(test::sanitized)) {
  const double before = resident_bytes();
  Tensors held;
  for (int i = 0; i < 20; ++i) held.push_back(zeros({1 << 20}));
  CHECK(resident_bytes() - before < 1.1 * 20 * (1 << 22));
}

TEST_CASE("tensors of many sizes that come and go leave no holes" * doctest::skip(test::sanitized)) {
  const double before = resident_bytes();
  for (int step = 0; step < 6; ++step) {
    Tensors held;
    for (std::int64_t i = 4; i < 24; ++i) {
      const std::int64_t size = (1 << 18) * i + 4096 * step;
      Tensor once = zeros({size}), twice = zeros({size});
      held.push_back(zeros({(1 << 17) * (i - 1)}));
      if (i % 2 == 0) held.push_back(twice);
    }
    for (std::size_t i = 0; i < held.size(); i += 2) held[i] = zeros({held[i].size() / 3});
    // A quarter more than the peak is kept for reuse.
    CHECK(resident_bytes() - before < 1.35 * peak_bytes());
  }
}

TEST_CASE("blocks that lie side by side give their pages back, and their places are used again" *
          doctest::skip(test::sanitized)) {
  const double before = resident_bytes();
  for (int step = 0; step < 4; ++step) {
    reset_peak_bytes();
    {
      Tensors held;
      for (int i = 0; i < 300; ++i) held.push_back(zeros({(1 << 18) - 100 * (i % 2)}));
    }
    const Tensor whole = zeros({300 << 18});
    CHECK(resident_bytes() - before < 1.35 * peak_bytes());
  }
}

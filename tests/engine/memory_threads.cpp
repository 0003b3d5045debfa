// Blocks that one thread gets and another frees, of every kind: the pool's classes, the heap's, mapped ones.
#include <doctest/doctest.h>
#include <tests/support/in_threads.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/memory.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reduce.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>

using namespace weft;
using weft::test::in_threads;

namespace {

// In i64 elements: small classes, the last of them, the first of the large ones, just below a huge page, and above one.
constexpr std::int64_t sizes[] = {1,    7,     8,      100,     511,     1000,    4087,
                                  4088, 5'000, 40'000, 262'000, 262'136, 300'000, 700'001};
constexpr int kinds = static_cast<int>(std::size(sizes));

// A tensor that says who made it, at both ends and in the middle of every page.
Tensor marked(std::int64_t size, std::int64_t mark) {
  Tensor t = empty({size}, i64);
  const auto data = t.mutable_data<std::int64_t>();
  for (std::size_t i = 0; i < data.size(); i += 256) data[i] = mark + static_cast<std::int64_t>(i);
  data.back() = mark;
  data.front() = mark;
  return t;
}
bool is_marked(const Tensor& t, std::int64_t mark) {
  const auto data = t.data<std::int64_t>();
  if (data.front() != mark || data.back() != mark) return false;
  for (std::size_t i = 256; i + 1 < data.size(); i += 256)
    if (data[i] != mark + static_cast<std::int64_t>(i)) return false;
  return true;
}

// Where threads leave tensors for each other.
class Exchange {
 public:
  struct Item {
    Tensor tensor;
    std::int64_t mark = 0;
  };
  /// Leaves an item and takes what was there.
  Item swap(std::size_t place, Item item) {
    const std::lock_guard lock(mutex_);
    std::swap(items_[place], item);
    return item;
  }

 private:
  std::mutex mutex_;
  Item items_[16];
};

}  // namespace

TEST_CASE("no block is given out twice, whoever freed it") {
  const MemoryStats before = memory_stats();
  {
    Exchange exchange;
    constexpr int workers = 4, rounds = 250;
    std::atomic<int> done{0};
    in_threads(workers + 1, [&](int i) {
      if (i == workers) {  // looks on
        for (; done < workers; std::this_thread::yield()) {
          const MemoryStats now = memory_stats();
          // What is held is at least this test's; all counts are those of some moment between changes.
          if (now.peak_bytes < now.bytes || now.cached_bytes < 0) return false;
          reset_peak_bytes();
        }
        return true;
      }
      bool right = true;
      for (int round = 0; round < rounds; ++round) {
        const std::int64_t mark = (std::int64_t{i} * rounds + round + 1) << 32;
        // The largest are rare, as each is seen in full.
        const int kind = (round * 5 + i) % (round % 8 == 0 ? kinds : kinds - 4);
        const auto place = static_cast<std::size_t>((round * 7 + i * 3) % 16);
        const Exchange::Item taken = exchange.swap(place, {marked(sizes[kind], mark), mark});
        right = right && (!taken.tensor.defined() || is_marked(taken.tensor, taken.mark));
      }
      ++done;
      return right;
    });
  }
  const MemoryStats after = memory_stats();
  CHECK(after.nodes == before.nodes);
  CHECK(after.storages == before.storages);
  CHECK(after.bytes == before.bytes);
}

TEST_CASE("many at once: all of one kind made here are freed there") {
  const MemoryStats before = memory_stats();
  for (int kind = 0; kind < kinds; ++kind) {
    const int count = kind < 7 ? 1500 : kind < 10 ? 40 : 4;
    std::vector<Tensors> made(3);
    in_threads(3, [&](int i) {
      for (int k = 0; k < count; ++k)
        made[static_cast<std::size_t>(i)].push_back(marked(sizes[kind], std::int64_t{i} * count + k));
      return true;
    });
    CHECK(memory_stats().storages == before.storages + 3 * count);
    in_threads(3, [&](int i) {
      Tensors& mine = made[static_cast<std::size_t>((i + 1) % 3)];
      for (int k = 0; k < count; ++k)
        if (!is_marked(mine[static_cast<std::size_t>(k)], std::int64_t{(i + 1) % 3} * count + k)) return false;
      mine.clear();
      // And again, from what was just freed.
      for (int k = 0; k < count; ++k) mine.push_back(marked(sizes[kind], -k - 1));
      for (int k = 0; k < count; ++k)
        if (!is_marked(mine[static_cast<std::size_t>(k)], -k - 1)) return false;
      return true;
    });
  }
  CHECK(memory_stats().storages == before.storages);
  CHECK(memory_stats().bytes == before.bytes);
}

TEST_CASE("nodes are counted whichever thread drops them") {
  const MemoryStats before = memory_stats();
  const Tensor x = parameter(ones({1000}, f64));
  Tensors made(4);
  in_threads(4, [&](int i) {
    Tensor y = x;
    for (int k = 0; k < 50; ++k) y = y * 2.0;
    made[static_cast<std::size_t>(i)] = y;
    return true;
  });
  CHECK(memory_stats().nodes == before.nodes + 4 * 50);
  CHECK(memory_stats().storages == before.storages + 1 + 4);  // a product with a number saves nothing
  in_threads(4, [&](int i) {
    made[static_cast<std::size_t>(3 - i)] = Tensor();
    return true;
  });
  CHECK(memory_stats().nodes == before.nodes);
  CHECK(memory_stats().storages == before.storages + 1);
}

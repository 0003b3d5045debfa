#pragma once
// Work in several threads at once.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace weft::test {

/// Calls work(0), work(1), ... each in a thread of its own and checks that all return true. doctest's own checks are
/// not for many threads: this counts failures instead.
inline void in_threads(int count, const std::function<bool(int)>& work) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      try {
        if (!work(i)) ++failures;
      } catch (...) {
        ++failures;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
}

}  // namespace weft::test

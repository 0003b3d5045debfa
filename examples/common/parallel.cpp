#include "parallel.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <weft/engine/threads.hpp>
#include <weft/nn/train/progress.hpp>

namespace common {

void in_parallel(const std::string& label, std::int64_t count, const std::function<void(std::int64_t)>& work) {
  const int threads = weft::num_threads();
  weft::set_num_threads(1);
  std::atomic<std::int64_t> next{0};
  std::mutex lock;
  std::int64_t done = 0;
  std::exception_ptr failure;
  weft::nn::Progress progress(label, count);
  const auto worker = [&] {
    for (std::int64_t i = 0; (i = next++) < count;) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard held(lock);
        if (!failure) failure = std::current_exception();
        next = count;
      }
      const std::lock_guard held(lock);
      progress.update(++done);
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(worker);
  worker();
  for (std::thread& other : others) other.join();
  weft::set_num_threads(threads);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace common

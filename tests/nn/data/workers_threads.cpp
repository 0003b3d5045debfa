// Several threads that prepare batches: the same bits in the same order, errors in their place, loops that are left.
#include <doctest/doctest.h>
#include <tests/support/same.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/nn/data/loader.hpp>

using namespace weft;

namespace {

// Examples of one's own that take unequal times, so that batches are done out of order.
struct Uneven {
  std::function<void(std::int64_t)> look = nullptr;
  std::int64_t size() const { return 29; }
  std::pair<Tensor, Tensor> operator[](std::int64_t i) const {
    if (look) look(i);
    if (i % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
    Generator generator(static_cast<std::uint64_t>(i));
    return {randn({4, 5, 2}, f32, generator), scalar(static_cast<double>(i), i64)};
  }
};

const nn::Augment augment = {.crop_padding = 1, .flip = true, .mean = {0.1, 0.2}, .stddev = {2, 3}};

std::vector<nn::Batch> two_epochs(nn::DataLoader loader) {
  std::vector<nn::Batch> batches;
  for (int epoch = 0; epoch < 2; ++epoch)
    for (const auto& batch : loader) batches.push_back({batch.x.clone(), batch.y.clone()});
  return batches;
}

bool same(const std::vector<nn::Batch>& a, const std::vector<nn::Batch>& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) equal = same_bits(a[i].x, b[i].x) && same_bits(a[i].y, b[i].y);
  return equal;
}

}  // namespace

TEST_CASE("batches are the same bits in the same order on any number of threads") {
  Generator generator(1);
  const nn::Dataset data{rand({29, 4, 5, 2}, f32, generator), arange(29, i64)};
  const nn::LoaderOptions alone = {
      .batch_size = 3, .shuffle = true, .seed = 5, .augment = augment, .prefetch = 0, .threads = 1};
  const auto expected = two_epochs(nn::DataLoader(data, alone));
  const auto expected_own = two_epochs(nn::DataLoader(Uneven{}, alone));
  CHECK(expected.size() == 20);
  for (const int threads : {1, 2, 3, 7, 40})
    for (const int prefetch : {1, 2, 8}) {
      nn::LoaderOptions options = alone;
      options.prefetch = prefetch;
      options.threads = threads;
      CHECK(same(two_epochs(nn::DataLoader(data, options)), expected));
      CHECK(same(two_epochs(nn::DataLoader(Uneven{}, options)), expected_own));
    }
}

TEST_CASE("every thread has a part in it, at the same time, with tensor operations on itself alone") {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::thread::id> threads;
  std::atomic<int> wide = 0;
  const auto look = [&](std::int64_t) {
    wide += num_threads() != 1 ? 1 : 0;
    std::unique_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
    changed.notify_all();
    changed.wait_for(lock, std::chrono::seconds(60), [&] { return threads.size() >= 3; });
  };
  const int before = num_threads();
  set_num_threads(4);
  nn::DataLoader loader(Uneven{look}, {.batch_size = 2, .prefetch = 1, .threads = 3});
  int batches = 0;
  for ([[maybe_unused]] const auto& batch : loader) ++batches;
  CHECK(num_threads() == 4);
  set_num_threads(before);
  CHECK(batches == 15);
  CHECK(threads.size() == 3);
  CHECK(!threads.contains(std::this_thread::get_id()));
  CHECK(wide == 0);
}

TEST_CASE("an error comes in its batch's place, and a loop may be left while threads are at work") {
  for (const int threads : {2, 5}) {
    const auto look = [](std::int64_t i) {
      if (i == 13 || i == 20) throw std::runtime_error("no example " + std::to_string(i));
    };
    nn::DataLoader loader(Uneven{look}, {.batch_size = 3, .threads = threads});
    int batches = 0;
    const auto all = [&] {
      for ([[maybe_unused]] const auto& batch : loader) ++batches;
    };
    CHECK_THROWS_WITH_AS(all(), "no example 13", std::runtime_error);
    CHECK(batches == 4);
    for (int stop = 0; stop < 4; ++stop) {
      int seen = 0;
      for ([[maybe_unused]] const auto& batch : loader)
        if (seen++ == stop) break;
      CHECK(seen == stop + 1);
    }
    loader.seek(0, 9);  // one batch is left for all the threads
    batches = 0;
    all();
    CHECK(batches == 1);
  }
  CHECK_THROWS_WITH_AS(nn::DataLoader(Uneven{}, {.threads = 0}), "DataLoader: got threads 0, needs 1 or more", Error);
}

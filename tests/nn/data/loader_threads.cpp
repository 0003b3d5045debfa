// DataLoader: what a batch holds, that orders and augmentation repeat, and that loops may be left.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

#include <weft/engine/random.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/ops/arithmetic.hpp>

using namespace weft;

namespace {

// Example i has label i and pixels i, i + 0.01, i + 0.02...
nn::Dataset numbered(std::int64_t n, std::int64_t height = 1, std::int64_t width = 1, std::int64_t channels = 1) {
  nn::Dataset data;
  data.x = detail::make_tensor("test", {n, height, width, channels}, f32);
  data.y = detail::make_tensor("test", {n}, i64);
  const auto x = data.x.mutable_data<float>();
  const auto y = data.y.mutable_data<std::int64_t>();
  const std::int64_t size = height * width * channels;
  for (std::int64_t i = 0; i < n; ++i) {
    y[static_cast<std::size_t>(i)] = i;
    for (std::int64_t p = 0; p < size; ++p)
      x[static_cast<std::size_t>(i * size + p)] = static_cast<float>(i) + 0.01F * static_cast<float>(p);
  }
  return data;
}

std::vector<double> labels(nn::DataLoader& loader) {
  std::vector<double> seen;
  for (auto batch : loader)
    for (std::int64_t i = 0; i < batch.size(); ++i) {
      CHECK(batch.x.at({i, 0, 0, 0}) == static_cast<float>(batch.y.at({i})));
      seen.push_back(batch.y.at({i}));
    }
  return seen;
}

std::vector<float> pixels(nn::DataLoader& loader) {
  std::vector<float> seen;
  for (auto batch : loader) {
    const auto x = batch.x.data<float>();
    seen.insert(seen.end(), x.begin(), x.end());
  }
  return seen;
}

}  // namespace

TEST_CASE("without shuffling the examples come in order, the last batch smaller") {
  for (const int prefetch : {0, 1, 2, 5, 50}) {
    nn::DataLoader loader(numbered(10), {.batch_size = 4, .prefetch = prefetch});
    CHECK(loader.batches() == 3);
    std::vector<std::int64_t> sizes;
    for (const auto& batch : loader) sizes.push_back(batch.size());
    CHECK(sizes == std::vector<std::int64_t>{4, 4, 2});
    std::vector<double> expected(10);
    std::iota(expected.begin(), expected.end(), 0.0);
    CHECK(labels(loader) == expected);
    CHECK(loader.epoch() == 2);
  }
  nn::DataLoader full(numbered(10), {.batch_size = 4, .drop_last = true});
  CHECK(full.batches() == 2);
  CHECK(labels(full).size() == 8);
  nn::DataLoader huge(numbered(10), {.batch_size = std::numeric_limits<std::int64_t>::max()});
  CHECK(huge.batches() == 1);
  CHECK(labels(huge).size() == 10);
  nn::DataLoader none(numbered(3), {.batch_size = 4, .drop_last = true});
  CHECK(labels(none).empty());
}

TEST_CASE("each epoch has an order of its own that follows from the seed") {
  const nn::LoaderOptions options = {.batch_size = 7, .shuffle = true, .seed = 5};
  nn::DataLoader loader(numbered(100), options), again(numbered(100), options);
  const auto first = labels(loader), second = labels(loader);
  CHECK(first != second);
  CHECK(std::set<double>(first.begin(), first.end()).size() == 100);
  CHECK(labels(again) == first);
  CHECK(labels(again) == second);
  nn::DataLoader other(numbered(100), {.batch_size = 7, .shuffle = true, .seed = 6});
  CHECK(labels(other) != first);

  other.seek(0);
  nn::DataLoader taken_up(numbered(100), options);
  taken_up.seek(1, 3);
  CHECK(labels(taken_up) == std::vector<double>(second.begin() + 21, second.end()));
  CHECK(labels(taken_up) == labels(loader));  // the epoch after is whole again
  taken_up.seek(0, 15);
  CHECK(labels(taken_up).empty());
  CHECK_THROWS_AS(taken_up.seek(0, 16), Error);
}

TEST_CASE("a loop may be left at any batch, and loops may run side by side") {
  nn::DataLoader loader(numbered(50), {.batch_size = 3, .shuffle = true, .seed = 1});
  for (int stop = 0; stop < 17; ++stop) {
    int seen = 0;
    for (auto batch : loader) {
      CHECK(batch.x.defined());
      if (seen++ == stop) break;
    }
  }
  CHECK(loader.epoch() == 17);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t)
    threads.emplace_back([t] {
      nn::DataLoader mine(numbered(40), {.batch_size = 3, .shuffle = true, .seed = t});
      double sum = 0;
      for (int epoch = 0; epoch < 5; ++epoch)
        for (auto batch : mine)
          for (const std::int64_t label : batch.y.data<std::int64_t>()) sum += static_cast<double>(label);
      if (sum != 5 * 780) std::abort();
    });
  for (auto& thread : threads) thread.join();

  // An iterator outlives its loader.
  auto short_lived = std::make_unique<nn::DataLoader>(numbered(9), nn::LoaderOptions{.batch_size = 2});
  auto iterator = short_lived->begin();
  short_lived.reset();
  int batches = 0;
  for (; !(iterator == nn::DataLoader::End{}); ++iterator) ++batches;
  CHECK(batches == 5);
}

TEST_CASE("augmentation does what it says, and repeats") {
  nn::DataLoader normalised(numbered(2, 1, 1, 2),
                            {.batch_size = 2, .augment = {.mean = {1, 0.01}, .stddev = {2, 0.5}}});
  const auto x = pixels(normalised);
  CHECK(x[0] == doctest::Approx(-0.5));
  CHECK(x[1] == doctest::Approx(0));
  CHECK(x[2] == doctest::Approx(0));
  CHECK(x[3] == doctest::Approx(2));

  nn::DataLoader mirrored(numbered(200, 1, 3, 1), {.batch_size = 200, .augment = {.flip = true}});
  int flipped = 0;
  for (auto batch : mirrored)
    for (std::int64_t i = 0; i < 200; ++i) {
      const double step = batch.x.at({i, 0, 2, 0}) - batch.x.at({i, 0, 0, 0});
      CHECK(std::abs(step) == doctest::Approx(0.02).epsilon(1e-2));
      flipped += step < 0;
    }
  CHECK(flipped > 70);
  CHECK(flipped < 130);

  // One bright pixel in the middle moves, and every place within the padding is reached.
  nn::Dataset dots;
  dots.x = detail::make_tensor("test", {300, 5, 5, 1}, f32);
  dots.y = numbered(300).y;
  dots.x.fill_(0);
  for (std::size_t i = 0; i < 300; ++i) dots.x.mutable_data<float>()[i * 25 + 12] = 1;
  nn::DataLoader cropped(dots, {.batch_size = 300, .augment = {.crop_padding = 1}});
  std::set<std::size_t> places;
  for (auto batch : cropped)
    for (std::size_t i = 0; i < 300; ++i) {
      const auto image = batch.x.data<float>().subspan(i * 25, 25);
      places.insert(static_cast<std::size_t>(std::find(image.begin(), image.end(), 1.0F) - image.begin()));
    }
  CHECK(places == std::set<std::size_t>{6, 7, 8, 11, 12, 13, 16, 17, 18});

  const nn::Augment all = {.crop_padding = 2, .flip = true, .mean = {0.5}, .stddev = {2}};
  nn::DataLoader one(numbered(60, 4, 5, 1), {.batch_size = 10, .shuffle = true, .seed = 9, .augment = all});
  nn::DataLoader two(numbered(60, 4, 5, 1),
                     {.batch_size = 15, .shuffle = true, .seed = 9, .augment = all, .prefetch = 0});
  const auto first = pixels(one);
  CHECK(first == pixels(two));  // whatever the batch size
  CHECK(first != pixels(one));
}

TEST_CASE("statistics and parts of a data set") {
  nn::Dataset data = numbered(3, 1, 1, 2);
  const nn::ChannelStats stats = nn::channel_stats(data.x);
  CHECK(stats.mean[0] == doctest::Approx(1));
  CHECK(stats.mean[1] == doctest::Approx(1.01));
  CHECK(stats.stddev[0] == doctest::Approx(std::sqrt(2.0 / 3)));
  const nn::Dataset two = nn::head(data, 2);
  CHECK(two.size() == 2);
  CHECK(two.x.shape() == Shape{2, 1, 1, 2});
  CHECK(two.y.at({1}) == 1);
  CHECK_THROWS_AS(nn::head(data, 4), Error);
  CHECK_THROWS_AS(nn::head(data, 0), Error);
  CHECK_THROWS_AS(nn::channel_stats(data.y), Error);
}

TEST_CASE_TEMPLATE("statistics are those of a plain loop in double", T, float, double) {
  manual_seed(3);
  for (const std::int64_t channels : {1, 3, 70000}) {  // several parts, a rest; a pixel larger than a part
    const std::int64_t pixels = channels < 10 ? 100003 : 3;
    const Tensor x = randn({pixels, channels}, std::is_same_v<T, float> ? f32 : f64) * 0.25 + 100.0;
    const nn::ChannelStats stats = nn::channel_stats(x);
    REQUIRE(stats.mean.size() == static_cast<std::size_t>(channels));
    REQUIRE(stats.stddev.size() == static_cast<std::size_t>(channels));
    const auto values = x.template data<T>();
    double gap = 0;
    for (std::int64_t c = 0; c < std::min<std::int64_t>(channels, 3); ++c) {
      const auto at = [&](std::int64_t i) { return double{values[static_cast<std::size_t>(i * channels + c)]}; };
      double mean = 0, square = 0;
      for (std::int64_t i = 0; i < pixels; ++i) mean += at(i) / static_cast<double>(pixels);
      for (std::int64_t i = 0; i < pixels; ++i) square += (at(i) - mean) * (at(i) - mean);
      const double stddev = std::sqrt(square / static_cast<double>(pixels));
      gap += std::abs(stats.mean[static_cast<std::size_t>(c)] / mean - 1);
      gap += std::abs(stats.stddev[static_cast<std::size_t>(c)] / stddev - 1);
    }
    CHECK(gap < 1e-11);
  }
}

TEST_CASE("options and data that do not fit are refused") {
  using Options = nn::LoaderOptions;
  const nn::Dataset data = numbered(4);
  const auto refused = [&](const Options& options) { CHECK_THROWS_AS(nn::DataLoader(data, options), Error); };
  refused({.batch_size = 0});
  refused({.prefetch = -1});
  refused({.augment = {.crop_padding = -1}});
  refused({.augment = {.mean = {0, 0}, .stddev = {1, 1}}});
  refused({.augment = {.mean = {0}}});
  refused({.augment = {.stddev = {1}}});
  refused({.augment = {.mean = {0}, .stddev = {0}}});
  CHECK_THROWS_AS(nn::DataLoader({data.x, Tensor()}), Error);
  CHECK_THROWS_AS(nn::DataLoader({data.x, numbered(3).y}), Error);
  CHECK_THROWS_AS(nn::DataLoader({data.y, data.y}, {.augment = {.flip = true}}), Error);
  CHECK_THROWS_AS(nn::DataLoader(numbered(0)), Error);
}

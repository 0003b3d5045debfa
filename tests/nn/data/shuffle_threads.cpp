// DataLoader's orders and augmentation: as random as they should be, and nothing lost, repeated or mixed up.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/engine/create.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/ops/reshape.hpp>

using namespace weft;
using namespace weft::test;

namespace {

using Order = std::vector<std::size_t>;

// Example i is {10 i, 10 i + 1} with label 3 i.
nn::Dataset numbered(std::int64_t n) {
  const Tensor first = arange(0, 10.0 * static_cast<double>(n), 10.0),
               second = arange(1, 10.0 * static_cast<double>(n) + 1, 10.0);
  return {stack({first, second}, 1), arange(0, 3.0 * static_cast<double>(n), 3.0, i64)};
}

// The examples of the next epoch; x and y must be of the same one.
Order epoch_of(nn::DataLoader& loader) {
  Order order;
  bool together = true;
  for (const auto& batch : loader) {
    const auto x = batch.x.data<float>();
    const auto y = batch.y.data<std::int64_t>();
    for (std::size_t i = 0; i < y.size(); ++i) {
      order.push_back(static_cast<std::size_t>(y[i] / 3));
      const auto first = static_cast<float>(10 * order.back());
      together = together && y[i] % 3 == 0 && x[2 * i] == first && x[2 * i + 1] == first + 1;
    }
  }
  CHECK(together);
  return order;
}

bool is_permutation_of(Order order, std::size_t n) {
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != i) return false;
  return order.size() == n;
}

double fixed_points(const Order& a, const Order& b) {
  double fixed = 0;
  for (std::size_t i = 0; i < a.size(); ++i) fixed += a[i] == b[i] ? 1 : 0;
  return fixed;
}

}  // namespace

TEST_CASE("every order of five examples comes equally often") {
  std::vector<std::int64_t> counts(120);
  nn::DataLoader loader(numbered(5), {.batch_size = 5, .shuffle = true, .seed = 3, .prefetch = 0});
  for (int epoch = 0; epoch < 6000; ++epoch) {
    const Order order = epoch_of(loader);
    REQUIRE(is_permutation_of(order, 5));
    std::size_t number = 0;
    for (std::size_t i = 0; i < 5; ++i)
      number = number * (5 - i) +
               static_cast<std::size_t>(std::count_if(order.begin() + static_cast<std::ptrdiff_t>(i), order.end(),
                                                      [&](std::size_t o) { return o < order[i]; }));
    ++counts[number];
  }
  CHECK(even(counts));
}

TEST_CASE("orders of epochs and seeds have nothing in common") {
  const std::size_t n = 500;
  Order straight(n);
  std::iota(straight.begin(), straight.end(), std::size_t{0});
  double own = 0, before = 0, other_seed = 0, shift = 0;
  nn::DataLoader loader(numbered(n), {.batch_size = 64, .shuffle = true, .seed = 5, .prefetch = 0});
  nn::DataLoader other(numbered(n), {.batch_size = 64, .shuffle = true, .seed = 6, .prefetch = 0});
  Order last = straight;
  for (int epoch = 0; epoch < 100; ++epoch) {
    const Order order = epoch_of(loader);
    REQUIRE(is_permutation_of(order, n));
    own += fixed_points(order, straight);
    if (epoch > 0) before += fixed_points(order, last);
    other_seed += fixed_points(order, epoch_of(other));
    for (std::size_t i = 0; i < n; ++i) shift += std::abs(static_cast<double>(order[i]) - static_cast<double>(i));
    last = order;
  }
  // Two random permutations agree in one place on average, with variance one; places differ by a third of n.
  CHECK(std::abs(own - 100) <= deviations * 10);
  CHECK(std::abs(before - 99) <= deviations * 10);
  CHECK(std::abs(other_seed - 100) <= deviations * 10);
  CHECK(shift / 100 / static_cast<double>(n * n) == doctest::Approx(1.0 / 3).epsilon(0.005));
}

TEST_CASE("no example is lost or repeated, whatever the batch size and the number of batches ahead") {
  for (const std::int64_t n : {1, 2, 7, 12, 31}) {
    const auto examples = static_cast<std::size_t>(n);
    nn::DataLoader reference(numbered(n), {.shuffle = true, .seed = 8, .prefetch = 0});
    const Order first = epoch_of(reference), second = epoch_of(reference);
    CHECK(is_permutation_of(first, examples));
    for (const std::int64_t size : {1, 3, 4, 12, 100})
      for (const int prefetch : {0, 1, 3})
        for (const bool drop : {false, true}) {
          nn::DataLoader loader(
              numbered(n), {.batch_size = size, .shuffle = true, .seed = 8, .drop_last = drop, .prefetch = prefetch});
          const auto each = static_cast<std::size_t>(size);
          const std::size_t kept = drop ? examples / each * each : examples;
          for (const Order& order : {first, second}) {
            const Order part(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept));
            CHECK(epoch_of(loader) == part);
          }
          CHECK(loader.batches() == static_cast<std::int64_t>((kept + each - 1) / each));
        }
  }
}

TEST_CASE("drop_last leaves out other examples each epoch") {
  std::vector<std::int64_t> dropped(10);
  nn::DataLoader loader(numbered(10), {.batch_size = 4, .shuffle = true, .seed = 2, .drop_last = true, .prefetch = 0});
  for (int epoch = 0; epoch < 1000; ++epoch) {
    std::vector<bool> seen(10);
    for (const std::size_t i : epoch_of(loader)) seen[i] = true;
    for (std::size_t i = 0; i < 10; ++i) dropped[i] += seen[i] ? 0 : 1;
  }
  for (const std::int64_t count : dropped) CHECK(plausible(static_cast<double>(count), 1000, 0.2));
}

TEST_CASE("shifts and mirrors come equally often in all combinations, and move every pixel alike") {
  // Image i: a pattern without symmetry, two channels.
  const std::int64_t n = 300, height = 4, width = 6;
  nn::Dataset data{zeros({n, height, width, 2}), arange(static_cast<double>(n), i64)};
  const auto pixel = [&](std::int64_t i, std::int64_t row, std::int64_t column, std::int64_t c) {
    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
    return inside ? static_cast<float>(1 + ((i * height + row) * width + column) * 2 + c) : 0.0F;
  };
  for (std::int64_t i = 0; i < data.x.size(); ++i)
    data.x.mutable_data<float>()[static_cast<std::size_t>(i)] =
        pixel(i / (height * width * 2), i / (width * 2) % height, i / 2 % width, i % 2);

  std::vector<std::int64_t> counts(50);
  std::vector<std::size_t> last;
  double repeated = 0;
  nn::DataLoader loader(
      data, {.batch_size = 64, .shuffle = true, .augment = {.crop_padding = 2, .flip = true}, .prefetch = 0});
  for (int epoch = 0; epoch < 20; ++epoch) {
    std::vector<std::size_t> chosen(static_cast<std::size_t>(n));
    for (const auto& batch : loader)
      for (std::int64_t k = 0; k < batch.size(); ++k) {
        const std::int64_t image = batch.y.data<std::int64_t>()[static_cast<std::size_t>(k)];
        const float* const got = batch.x.data<float>().data() + k * height * width * 2;
        // Which of the fifty it is: exactly one.
        int found = 0;
        for (std::size_t way = 0; way < 50; ++way) {
          const std::int64_t down = static_cast<std::int64_t>(way / 2 % 5) - 2,
                             right = static_cast<std::int64_t>(way / 10) - 2;
          bool equal = true;
          for (std::int64_t at = 0; equal && at < height * width * 2; ++at) {
            const std::int64_t column = at / 2 % width;
            equal = got[at] ==
                    pixel(image, at / (width * 2) + down, (way % 2 == 1 ? width - 1 - column : column) + right, at % 2);
          }
          if (!equal) continue;
          ++found;
          ++counts[way];
          chosen[static_cast<std::size_t>(image)] = way;
        }
        REQUIRE(found == 1);
      }
    for (std::size_t i = 0; i < last.size(); ++i) repeated += chosen[i] == last[i] ? 1 : 0;
    last = chosen;
  }
  CHECK(even(counts));
  CHECK(plausible(repeated, 19.0 * static_cast<double>(n), 1.0 / 50));
}

TEST_CASE("shifts may be larger than the image, and mirrored images are normalised too") {
  const std::int64_t n = 400, height = 2, width = 3;
  nn::Dataset data{arange(1, 1.0 + static_cast<double>(n * height * width), 1.0), arange(static_cast<double>(n), i64)};
  data.x = reshape(data.x, {n, height, width, 1});
  nn::DataLoader loader(data,
                        {.batch_size = n, .augment = {.crop_padding = 5, .flip = true, .mean = {-2}, .stddev = {4}}});
  double black = 0;
  for (const auto& batch : loader) {
    const auto got = batch.x.data<float>();
    for (std::int64_t i = 0; i < n; ++i) {
      bool equal = false;
      for (std::int64_t way = 0; !equal && way < 2 * 11 * 11; ++way) {
        const std::int64_t down = way / 2 % 11 - 5, right = way / 22 - 5;
        equal = true;
        for (std::int64_t at = 0; at < height * width; ++at) {
          const std::int64_t row = at / width + down;
          const std::int64_t column = (way % 2 == 1 ? width - 1 - at % width : at % width) + right;
          const bool inside = row >= 0 && row < height && column >= 0 && column < width;
          const float pixel = inside ? static_cast<float>(1 + (i * height + row) * width + column) : 0.0F;
          equal = equal && got[static_cast<std::size_t>(i * height * width + at)] == (pixel + 2) / 4;
        }
      }
      CHECK(equal);
      const auto image = got.subspan(static_cast<std::size_t>(i * height * width), height * width);
      black += std::ranges::count(image, 0.5F) == height * width ? 1 : 0;
    }
  }
  CHECK(plausible(black, static_cast<double>(n), 1 - 3.0 / 11 * 5 / 11));
}

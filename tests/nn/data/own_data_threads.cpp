// DataLoader over data sets of one's own: every kind of example, the order, augmentation, and what goes wrong.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

#include <algorithm>
#include <atomic>
#include <span>
#include <stdexcept>
#include <thread>

#include <weft/engine/create.hpp>
#include <weft/engine/grad_mode.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/reshape.hpp>

using namespace weft;

namespace {

// Example i is f(i).
template <class F>
struct Made {
  std::int64_t count;
  F f;
  std::int64_t size() const { return count; }
  auto operator[](std::int64_t i) const { return f(i); }
};
template <class F>
Made(std::int64_t, F) -> Made<F>;

Tensor row(std::int64_t i) { return tensor({static_cast<double>(i), static_cast<double>(i) + 0.5}, {2}, f64); }
Tensor label(std::int64_t i) { return scalar(static_cast<double>(3 * i), i64); }

const auto pairs = [](std::int64_t i) { return std::pair(row(i), label(i)); };

std::vector<double> labels(nn::DataLoader& loader) {
  std::vector<double> seen;
  for (auto [x, y] : loader) {
    CHECK(x.shape() == Shape{y.size(), 2});
    CHECK(x.dtype() == f64);
    CHECK(y.dtype() == i64);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      CHECK(x.at({i, 1}) == y.at({i}) / 3 + 0.5);
      seen.push_back(y.at({i}));
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("examples that are pairs come as x and y, in the order of a Dataset's loader") {
  Tensors rows, marks;
  for (std::int64_t i = 0; i < 23; ++i) {
    rows.push_back(row(i));
    marks.push_back(label(i));
  }
  const nn::Dataset same = {stack(rows, 0), stack(marks, 0)};
  for (const int prefetch : {0, 1, 3})
    for (const bool drop : {false, true}) {
      const nn::LoaderOptions options = {
          .batch_size = 4, .shuffle = true, .seed = 7, .drop_last = drop, .prefetch = prefetch};
      nn::DataLoader own(Made{23, pairs}, options), whole(same, options);
      CHECK(own.batches() == whole.batches());
      CHECK(own.options().batch_size == 4);
      for (int epoch = 0; epoch < 3; ++epoch) CHECK(labels(own) == labels(whole));
      own.seek(1, 2);
      whole.seek(1, 2);
      CHECK(labels(own) == labels(whole));
      CHECK(own.epoch() == 2);
    }
}

TEST_CASE("examples may be one tensor, a pair, a tuple, an array") {
  nn::DataLoader alone(Made{5, row}, {.batch_size = 3});
  int batches = 0;
  for (const auto& batch : alone) {
    CHECK(batch.x.shape() == Shape{++batches == 1 ? 3 : 2, 2});
    CHECK(!batch.y.defined());
    CHECK(batch.size() == batch.x.size(0));
  }
  CHECK(batches == 2);
  double sum = 0;
  for (auto [x] : alone.as<1>()) sum += x.at({0, 0});
  CHECK(sum == 3);
  CHECK(alone.epoch() == 2);

  nn::DataLoader three(Made{5,
                            [](std::int64_t i) {
                              return std::tuple(row(i), label(i), full({2, 2}, static_cast<double>(i)));
                            }},
                       {.batch_size = 2});
  std::vector<double> seen;
  for (auto [x, y, z] : three.as<3>()) {
    CHECK(z.shape() == Shape{x.size(0), 2, 2});
    CHECK(y.at({0}) == 3 * z.at({0, 1, 1}));
    seen.push_back(z.at({0, 0, 0}));
  }
  CHECK(seen == std::vector<double>{0, 2, 4});
  CHECK_THROWS_WITH_AS(three.begin(), doctest::Contains("loop over as<3>()"), Error);
  CHECK_THROWS_AS(three.as<2>(), Error);
  CHECK(three.epoch() == 1);

  const std::vector<std::array<Tensor, 2>> kept = {{row(0), label(0)}, {row(1), label(1)}, {row(2), label(2)}};
  nn::DataLoader in_a_vector(kept, {.batch_size = 2});
  CHECK(labels(in_a_vector) == std::vector<double>{0, 3, 6});
  const std::span<const std::array<Tensor, 2>> span = kept;
  nn::DataLoader in_a_span(span, {.batch_size = 2});
  CHECK(labels(in_a_span) == std::vector<double>{0, 3, 6});
  nn::DataLoader numbers(std::vector<std::tuple<Tensor>>{{scalar(4)}, {scalar(5)}});
  for (auto [x] : numbers.as<1>()) CHECK(x.at({1}) == 5);
}

TEST_CASE("a data set may be one that only moves") {
  struct Owner {
    std::unique_ptr<Tensor> all = std::make_unique<Tensor>(arange(6));
    std::size_t size() const { return 6; }
    Tensor operator[](std::size_t i) { return scalar(all->at({static_cast<std::int64_t>(i)})); }
  };
  nn::DataLoader loader(Owner{}, {.batch_size = 6});
  for (const auto& batch : loader) CHECK(batch.x.at({5}) == 5);
  nn::DataLoader copy = loader;
  for (const auto& batch : copy) CHECK(batch.x.shape() == Shape{6});
}

TEST_CASE("nothing of an example is recorded, on whichever thread it is made") {
  const Tensor weight = parameter(ones({2}, f64));
  for (const int prefetch : {0, 2}) {
    std::atomic<int> recorded = 0, elsewhere = 0;
    const auto home = std::this_thread::get_id();
    nn::DataLoader loader(Made{6,
                               [&](std::int64_t i) {
                                 recorded += grad_enabled() ? 1 : 0;
                                 elsewhere += std::this_thread::get_id() != home ? 1 : 0;
                                 return row(i) * weight;
                               }},
                          {.batch_size = 4, .prefetch = prefetch});
    for (const auto& batch : loader) CHECK(!batch.x.requires_grad());
    CHECK(recorded == 0);
    CHECK(elsewhere == (prefetch == 0 ? 0 : 6));
    CHECK(grad_enabled());
  }
}

TEST_CASE("what operator[] throws arrives at the loop, in its batch's place") {
  for (const int prefetch : {0, 1, 4}) {
    nn::DataLoader loader(Made{10,
                               [](std::int64_t i) {
                                 if (i == 5) throw std::runtime_error("no example 5");
                                 return pairs(i);
                               }},
                          {.batch_size = 2, .prefetch = prefetch});
    for (int round = 0; round < 2; ++round) {
      int batches = 0;
      const auto all = [&] {
        for (const auto& batch : loader) batches += batch.size() == 2 ? 1 : 0;
      };
      CHECK_THROWS_WITH_AS(all(), "no example 5", std::runtime_error);
      CHECK(batches == 2);
    }
    loader.seek(0, 3);
    CHECK(labels(loader) == std::vector<double>{18, 21, 24, 27});
    loader.seek(0, 2);
    CHECK_THROWS_AS(loader.begin(), std::runtime_error);  // the first batch already
    CHECK(loader.epoch() == 1);
    int batches = 0;
    for (const auto& batch : loader)  // a loop that was left before the error does not see it
      if (batch.size() == 2 && ++batches == 1) break;
    CHECK(batches == 1);
  }
}

TEST_CASE("examples that do not fit a batch are refused") {
  const auto error_of = [](auto f) {
    nn::DataLoader loader(Made{4, f}, {.batch_size = 4});
    return message_of([&] { loader.begin(); });
  };
  CHECK(error_of([](std::int64_t i) { return std::pair(row(i), ones({i == 2 ? 3 : 1})); }) ==
        "DataLoader: got f32 {3} as tensor 1 of example 2, needs f32 {1} as in example 0");
  CHECK(error_of([](std::int64_t i) { return scalar(1, i == 3 ? f64 : f32); }) ==
        "DataLoader: got f64 {} as tensor 0 of example 3, needs f32 {} as in example 0");
  CHECK(error_of([](std::int64_t i) { return i == 1 ? Tensor() : row(i); }) ==
        "DataLoader: got an undefined tensor in example 1");
  CHECK(error_of([](std::int64_t) { return Tensor(); }) == "DataLoader: got an undefined tensor in example 0");
  Shape deep;
  while (deep.rank() < max_rank) deep.append(1);
  CHECK(!error_of([&](std::int64_t) { return ones(deep); }).empty());
  CHECK_THROWS_AS(nn::DataLoader(Made{0, row}), Error);
  CHECK_THROWS_AS(nn::DataLoader(Made{-1, row}), Error);
  CHECK_THROWS_AS(nn::DataLoader(Made{4, row}, {.batch_size = 0}), Error);
  CHECK_THROWS_AS(nn::DataLoader(Made{4, row}, {.augment = {.crop_padding = -1}}), Error);
  nn::DataLoader no_image(Made{4, row}, {.augment = {.flip = true}});
  CHECK_THROWS_WITH_AS(no_image.begin(), doctest::Contains("needs images {height, width, channels}"), Error);
}

TEST_CASE("images of one's own are augmented as a Dataset's") {
  const Tensor images = reshape(arange(12 * 60), {12, 5, 6, 2});
  const nn::LoaderOptions options = {.batch_size = 5,
                                     .shuffle = true,
                                     .seed = 3,
                                     .augment = {.crop_padding = 2, .flip = true, .mean = {1, 2}, .stddev = {3, 4}}};
  nn::DataLoader whole({images, arange(12)}, options);
  nn::DataLoader own(
      Made{12,
           [&](std::int64_t i) {
             return std::pair(reshape(slice(images, 0, i, i + 1), {5, 6, 2}), scalar(static_cast<double>(i)));
           }},
      options);
  for (int epoch = 0; epoch < 2; ++epoch) {
    auto other = own.begin();
    int batches = 0;
    for (auto [x, y] : whole) {
      CHECK(std::ranges::equal(x.data<float>(), other->x.data<float>()));
      CHECK(std::ranges::equal(y.data<float>(), other->y.data<float>()));
      ++other;
      ++batches;
    }
    CHECK(batches == 3);
    CHECK(other == own.end());
  }
}

// Loaders of several processes that go over the data together: what each is given, positions, and the number by which
// they find out whether they are alike.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>

#include <limits>

#include <weft/engine/create.hpp>
#include <weft/nn/data/loader.hpp>
#include <weft/nn/fingerprint.hpp>
#include <weft/ops/reshape.hpp>

using namespace weft;

namespace {

nn::Dataset numbers(std::int64_t n) {
  return {.x = reshape(arange(0, static_cast<double>(n), 1, f32), {n, 1}),
          .y = arange(0, static_cast<double>(n), 1, i64)};
}

using Labels = std::vector<std::int64_t>;

std::vector<Labels> batches_of(nn::DataLoader& loader) {
  std::vector<Labels> all;
  for (const auto& batch : loader) {
    const auto y = batch.y.data<std::int64_t>();
    all.emplace_back(y.begin(), y.end());
  }
  return all;
}

std::int64_t position(const nn::DataLoader& loader) {
  return static_cast<std::int64_t>(loader.state()[1].second.item());
}

}  // namespace

TEST_CASE("the parts' batches, one after the other, are one loader's larger batch") {
  for (const std::int64_t n : {1, 7, 24, 25, 31})
    for (const int parts : {1, 2, 3, 5})
      for (const bool drop_last : {false, true}) {
        CAPTURE(n);
        CAPTURE(parts);
        CAPTURE(drop_last);
        const nn::LoaderOptions together = {
            .batch_size = 4 * parts, .shuffle = true, .seed = 3, .drop_last = drop_last};
        nn::DataLoader whole(numbers(n), together);
        for (int epoch = 0; epoch < 2; ++epoch) {
          whole.seek(epoch);
          const auto expected = batches_of(whole);
          std::vector<Labels> joined(expected.size());
          std::size_t most = 0, least = expected.size();
          for (int part = 0; part < parts; ++part) {
            nn::LoaderOptions mine = together;
            mine.batch_size = 4;
            mine.part = part;
            mine.parts = parts;
            nn::DataLoader loader(numbers(n), mine);
            loader.seek(epoch);
            const auto batches = batches_of(loader);
            CHECK(static_cast<std::int64_t>(batches.size()) == loader.batches());
            REQUIRE(batches.size() <= expected.size());
            for (std::size_t i = 0; i < batches.size(); ++i) {
              CHECK((batches[i].size() >= 1 && batches[i].size() <= 4));
              joined[i].insert(joined[i].end(), batches[i].begin(), batches[i].end());
            }
            most = std::max(most, batches.size());
            least = std::min(least, batches.size());
          }
          CHECK(joined == expected);
          CHECK(most - least == (drop_last || n % (4 * parts) == 0 || n % (4 * parts) >= parts ? 0 : 1));
        }
      }
}

TEST_CASE("share() holds for the loops that follow, and the largest batch size overflows nothing") {
  nn::DataLoader loader(numbers(10), {.batch_size = std::numeric_limits<std::int64_t>::max()});
  loader.share(1, 3);
  CHECK(batches_of(loader) == std::vector<Labels>{{3, 4, 5}});
  loader.share(0, 1);
  CHECK(batches_of(loader)[0].size() == 10);
  for (const auto& [part, parts] : {std::pair(-1, 2), std::pair(2, 2), std::pair(0, 0)})
    CHECK(message_of([&] { loader.share(part, parts); }) == "DataLoader::share: got part " + std::to_string(part) +
                                                                " of " + std::to_string(parts) +
                                                                ", needs 0 to parts - 1");
  CHECK(message_of([] { nn::DataLoader bad(numbers(2), {.part = 1}); }) ==
        "DataLoader: got part 1 of 1, needs 0 to parts - 1");
}

TEST_CASE("a position is taken over by another number of parts, no example left out") {
  const auto state_after = [](int parts, std::int64_t batches) {
    nn::DataLoader loader(numbers(96), {.batch_size = 4, .shuffle = true, .seed = 1});
    loader.share(0, parts);
    loader.seek(5, batches);
    return loader.state();
  };
  nn::DataLoader one(numbers(96), {.batch_size = 4, .shuffle = true, .seed = 1});
  one.load_state(state_after(4, 3));
  CHECK(one.epoch() == 5);
  CHECK(position(one) == 12);
  nn::DataLoader three(numbers(96), {.batch_size = 4, .shuffle = true, .seed = 1});
  three.share(2, 3);
  three.load_state(state_after(4, 3));
  CHECK(position(three) == 4);
  three.load_state(state_after(1, 8));  // 32 examples: two batches of all three, and 8 are seen once more
  CHECK(position(three) == 2);
  three.load_state(state_after(1, 24));
  CHECK(position(three) == 8);
  three.load_state(state_after(3, 7));
  CHECK(position(three) == 7);
  nn::DataLoader sixes(numbers(96), {.batch_size = 6, .shuffle = true, .seed = 1});
  sixes.share(0, 2);
  sixes.load_state(state_after(3, 7));  // as many examples at a time, on fewer parts
  CHECK(position(sixes) == 7);
  CHECK(message_of([&] { sixes.load_state(state_after(2, 7)); }) ==
        "DataLoader: the saved state has batch_size 4, needs 6");
  nn::NamedTensors bad = state_after(2, 1);
  bad.back().second = zeros({}, i64);
  CHECK(message_of([&] { three.load_state(bad); }) == "DataLoader: the saved state has 0 parts, needs 1 or more");
}

TEST_CASE("loaders that go over the data together have one fingerprint, others another") {
  const nn::LoaderOptions options = {.batch_size = 4, .shuffle = true, .seed = 7, .part = 0, .parts = 2};
  const auto print = [&](nn::Dataset data, auto change) {
    nn::LoaderOptions other = options;
    change(other);
    return nn::DataLoader(std::move(data), other).fingerprint();
  };
  const auto same = [](nn::LoaderOptions&) {};
  const std::uint64_t mine = print(numbers(20), same);
  CHECK(print(numbers(20), [](auto& o) { o.part = 1, o.prefetch = 0; }) == mine);
  CHECK(print(numbers(21), same) != mine);
  CHECK(print(numbers(20), [](auto& o) { o.batch_size = 5; }) != mine);
  CHECK(print(numbers(20), [](auto& o) { o.seed = 8; }) != mine);
  CHECK(print(numbers(20), [](auto& o) { o.shuffle = false; }) != mine);
  CHECK(print(numbers(20), [](auto& o) { o.drop_last = true; }) != mine);
  CHECK(print(numbers(20), [](auto& o) { o.parts = 3; }) != mine);
  nn::Dataset other = numbers(20);
  other.x.mutable_data<float>()[19] += 1;
  CHECK(print(other, same) != mine);
}

TEST_CASE("a fingerprint changes with every byte, with lengths, shapes, dtypes and the order") {
  const auto of = [](auto... things) {
    nn::Fingerprint print;
    (print.add(things), ...);
    return print.value();
  };
  CHECK(of(std::string_view("ab"), std::string_view("c")) != of(std::string_view("a"), std::string_view("bc")));
  CHECK(of(std::int64_t{1}, std::int64_t{2}) != of(std::int64_t{2}, std::int64_t{1}));
  CHECK(of(0.0) != of(-0.0));
  CHECK(of(zeros({2, 3})) != of(zeros({3, 2})));
  CHECK(of(zeros({2}, f32)) != of(zeros({1}, f64)));
  CHECK(of(zeros({0})) != of(zeros({0, 0})));
  const std::uint64_t before = of(zeros({13}, u8));
  for (std::size_t i = 0; i < 13; ++i)
    for (int bit = 0; bit < 8; ++bit) {
      Tensor t = zeros({13}, u8);
      t.mutable_data<std::uint8_t>()[i] = static_cast<std::uint8_t>(1 << bit);
      CHECK(of(t) != before);
    }
}

// mixup and cutmix against plain loops, and what they draw from.
#include <doctest/doctest.h>
#include <tests/support/message_of.hpp>
#include <tests/support/same.hpp>
#include <tests/support/statistics.hpp>

#include <weft/engine/create.hpp>
#include <weft/engine/gradcheck.hpp>
#include <weft/nn/data/detail/beta.hpp>
#include <weft/nn/data/mixing.hpp>
#include <weft/nn/losses.hpp>
#include <weft/ops/compare.hpp>
#include <weft/ops/reduce.hpp>
#include <weft/ops/unary.hpp>

using namespace weft;
using namespace weft::test;

namespace {

constexpr std::int64_t count = 6, height = 7, width = 9, channels = 2, classes = 4;

nn::Batch batch_of(DType dtype) {
  Generator generator(3);
  return {randn({count, height, width, channels}, dtype, generator), randint(0, classes, {count}, i64, generator)};
}

// The targets say who was mixed with whom where all labels differ: {partner of each, its share}.
struct Found {
  std::vector<std::int64_t> partner;
  double kept = 1;  // the share of the example itself
};
Found found(const nn::Batch& mixed) {
  Found result;
  for (std::int64_t i = 0; i < mixed.y.size(0); ++i) {
    std::int64_t partner = i;
    for (std::int64_t j = 0; j < mixed.y.size(1); ++j)
      if (j != i && mixed.y.at({i, j}) > 0) partner = j;
    if (partner != i) result.kept = mixed.y.at({i, i});
    result.partner.push_back(partner);
  }
  return result;
}

// Every example in a class of its own.
nn::Batch own_classes(std::int64_t n) {
  Generator generator(4);
  return {rand({n, height, width, channels}, f64, generator), arange(static_cast<double>(n), i64)};
}

}  // namespace

TEST_CASE("the symmetric Beta distribution has its moments") {
  for (const double alpha : {0.05, 0.2, 0.5, 1.0, 2.5, 40.0}) {
    Generator generator(7);
    std::vector<double> draws;
    for (int i = 0; i < 20000; ++i) draws.push_back(detail::draw_beta(alpha, generator));
    const Moments m = moments_of(draws);
    CAPTURE(alpha);
    CHECK(plausible(m, draws.size(), 0.5, 1 / (4 * (2 * alpha + 1)), 3 - 6 / (3 + 2 * alpha)));
    CHECK(m.lowest >= 0);
    CHECK(m.highest <= 1);
  }
  // Where the distribution function is known: x of alpha 1, 2 asin(sqrt(x)) / pi of 1/2, 3 x^2 - 2 x^3 of 2.
  const auto probability = [](double alpha, double x) {
    if (alpha == 1) return x;
    return alpha == 2 ? 3 * x * x - 2 * x * x * x : 2 * std::asin(std::sqrt(x)) / 3.141592653589793;
  };
  for (const double alpha : {0.5, 1.0, 2.0}) {
    Generator generator(8);
    std::vector<std::int64_t> counts(20);
    for (int i = 0; i < 20000; ++i) {
      const double p = probability(alpha, detail::draw_beta(alpha, generator));
      ++counts[std::min<std::size_t>(static_cast<std::size_t>(p * 20), 19)];
    }
    CHECK(even(counts));
  }
  // So small that both of its gammas are below every double: one of the ends, either as often.
  Generator generator(9);
  double ones = 0;
  for (int i = 0; i < 1000; ++i) {
    const double share = detail::draw_beta(1e-9, generator);
    REQUIRE((share == 0 || share == 1));
    ones += share;
  }
  CHECK(plausible(ones, 1000, 0.5));
}

TEST_CASE("mixup is a plain loop over examples and targets") {
  for (const DType dtype : {f32, f64}) {
    const nn::Batch batch = batch_of(dtype);
    Generator generator(5), same(5);
    const nn::Batch mixed = nn::mixup(batch, {.alpha = 0.7, .classes = classes}, generator);
    CHECK(mixed.x.dtype() == dtype);
    CHECK(mixed.y.dtype() == dtype);
    REQUIRE(mixed.y.shape() == Shape{count, classes});

    const double share = detail::draw_beta(0.7, same);
    const Tensor others = randperm(count, i64, same);
    const double bound = dtype == f32 ? 1e-6 : 1e-15;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto j = static_cast<std::int64_t>(others.at({i}));
      for (std::int64_t r = 0; r < height; ++r)
        for (std::int64_t c = 0; c < width; ++c)
          for (std::int64_t k = 0; k < channels; ++k)
            CHECK(std::abs(mixed.x.at({i, r, c, k}) - share * batch.x.at({i, r, c, k}) -
                           (1 - share) * batch.x.at({j, r, c, k})) <= bound * 4);
      for (std::int64_t k = 0; k < classes; ++k) {
        const double target = (batch.y.at({i}) == static_cast<double>(k) ? share : 0) +
                              (batch.y.at({j}) == static_cast<double>(k) ? 1 - share : 0);
        CHECK(std::abs(mixed.y.at({i, k}) - target) <= bound);
      }
    }
  }
}

TEST_CASE("cutmix takes one rectangle of every image from its partner, and mixes targets by its area") {
  const nn::Batch batch = own_classes(5);
  Generator generator(6);
  std::vector<std::int64_t> middles(3);
  double shares = 0;
  for (int draw = 0; draw < 600; ++draw) {
    const nn::Batch mixed = nn::cutmix(batch, {.classes = 5}, generator);
    const Found mix = found(mixed);
    std::vector<bool> is_partner(5);
    for (const std::int64_t j : mix.partner) is_partner[static_cast<std::size_t>(j)] = true;
    CHECK(std::count(is_partner.begin(), is_partner.end(), true) == 5);  // a permutation
    // Pixels of one's own and of the partner's, in all images the same, and what is cut is a rectangle.
    std::int64_t cut = 0, top = height, bottom = -1, left = width, right = -1;
    bool whole = true;
    for (std::int64_t r = 0; r < height; ++r)
      for (std::int64_t c = 0; c < width; ++c) {
        int other = -1;
        for (std::int64_t i = 0; i < 5; ++i) {
          const std::int64_t j = mix.partner[static_cast<std::size_t>(i)];
          if (j == i) continue;
          const double got = mixed.x.at({i, r, c, 1});
          const int from_other = got == batch.x.at({j, r, c, 1}) ? 1 : 0;
          whole = whole && (from_other == 1 || got == batch.x.at({i, r, c, 1})) && (other < 0 || other == from_other);
          whole = whole && mixed.x.at({i, r, c, 0}) == batch.x.at({from_other == 1 ? j : i, r, c, 0});
          other = from_other;
        }
        if (other != 1) continue;
        ++cut;
        top = std::min(top, r), bottom = std::max(bottom, r), left = std::min(left, c), right = std::max(right, c);
      }
    CHECK(whole);
    if (cut == 0) continue;
    CHECK(cut == (bottom - top + 1) * (right - left + 1));
    CHECK(mix.kept == doctest::Approx(1 - static_cast<double>(cut) / (height * width)));
    ++middles[static_cast<std::size_t>(top + bottom < height - 1 ? 0 : top + bottom == height - 1 ? 1 : 2)];
    shares += mix.kept;
  }
  CHECK(plausible(static_cast<double>(middles[0]), static_cast<double>(middles[0] + middles[2]), 0.5));
  CHECK(shares > 100);
}

TEST_CASE("a batch mixed twice, targets in one class, and what follows from the seed") {
  const nn::Batch batch = batch_of(f32);
  for (const auto mix : {nn::mixup, nn::cutmix}) {
    Generator a(1), b(1), c(2);
    const nn::Batch first = mix(batch, {.alpha = 1, .classes = classes}, a);
    const nn::Batch again = mix(batch, {.alpha = 1, .classes = classes}, b);
    CHECK(same_bits(first.x, again.x));
    CHECK(same_bits(first.y, again.y));
    CHECK(!same_bits(mix(batch, {.alpha = 1, .classes = classes}, c).y, first.y));
    manual_seed(1);
    CHECK(same_bits(mix(batch, {.classes = classes}, default_generator()).x, first.x));

    const nn::Batch twice = mix(first, {.alpha = 1}, a);
    const Tensor sums = sum(twice.y, 1);
    for (std::int64_t i = 0; i < count; ++i) CHECK(sums.at({i}) == doctest::Approx(1));
    const Tensor logits = zeros({count, classes});
    CHECK(nn::cross_entropy(logits, twice.y).item() == doctest::Approx(std::log(4.0)));
    const nn::Batch single = mix({batch.x, zeros({count}, i64)}, {.classes = 1}, a);
    CHECK(same_bits(single.y, ones({count, 1})));
  }
  const nn::Batch vectors = nn::mixup({ones({3, 2}), arange(3, i64)}, {.classes = 3});
  CHECK(allclose(vectors.x, ones({3, 2})));
}

TEST_CASE("gradients flow through the mixed examples") {
  const Tensor y = tensor({0, 1, 1}, i64);
  for (const auto mix : {nn::mixup, nn::cutmix}) {
    Generator begin(12);
    const auto mixed = [&](const Tensor& x) {
      Generator generator = begin;
      return square(mix({x, y}, {.classes = 2}, generator).x);
    };
    CHECK(gradcheck(mixed, {randn({3, 4, 4, 1}, f64, begin)}).ok);
  }
}

TEST_CASE("batches that cannot be mixed are refused") {
  const nn::Batch batch = batch_of(f32);
  const auto error_of = [](auto mix, const nn::Batch& of, nn::MixOptions options) {
    Generator generator(1);
    const std::string message = message_of([&] { mix(of, options, generator); });
    CHECK(generator.state() == GeneratorState{1, 0});
    return message;
  };
  for (const auto mix : {nn::mixup, nn::cutmix}) {
    const std::string name = mix == &nn::mixup ? "mixup" : "cutmix";
    for (const double alpha : {0.0, -1.0, static_cast<double>(INFINITY), static_cast<double>(NAN)})
      CHECK(error_of(mix, batch, {.alpha = alpha, .classes = 4}).starts_with(name + ": got alpha"));
    CHECK(error_of(mix, batch, {}) == name + ": got labels and 0 classes, needs their number");
    CHECK(error_of(mix, batch, {.classes = 1}).find("one_hot") != std::string::npos);  // a label too large
    CHECK(error_of(mix, {batch.x, Tensor()}, {.classes = 4}) == name + ": got a batch without x or y, needs both");
    CHECK(error_of(mix, {batch.x.to(u8), batch.y}, {.classes = 4}).starts_with(name));
    CHECK(error_of(mix, {batch.x, ones({count}, f32)}, {.classes = 4}) ==
          name + ": got y f32 {6}, needs labels i64 {n} or probabilities f32 {n, classes}");
    CHECK(error_of(mix, {batch.x, ones({count, 3}, f32)}, {.classes = 4}).find("f32 {6, 3}") != std::string::npos);
    CHECK(error_of(mix, {batch.x, ones({5}, i64)}, {.classes = 4}).find("as many examples") != std::string::npos);
    CHECK(error_of(mix, {zeros({0, 2, 2, 1}), zeros({0}, i64)}, {.classes = 4}).find("at least one") !=
          std::string::npos);
  }
  CHECK(error_of(nn::cutmix, {ones({3, 2}), zeros({3}, i64)}, {.classes = 4}) ==
        "cutmix: got x {3, 2}, needs images {n, height, width, channels}");
}

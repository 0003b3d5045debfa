// Random numbers: the stream bit by bit, distributions, independence, and that place alone decides what is drawn.
#include <doctest/doctest.h>
#include <tests/support/statistics.hpp>
#include <weft/engine/checkpoint.hpp>
#include <weft/engine/create.hpp>
#include <weft/engine/random.hpp>
#include <weft/engine/threads.hpp>
#include <weft/ops/arithmetic.hpp>
#include <weft/ops/dropout.hpp>
#include <weft/ops/normalization.hpp>

#include <array>
#include <functional>
#include <limits>

using namespace weft;
using namespace weft::test;

namespace {

using Words = std::array<std::uint32_t, 4>;
using Values = std::vector<double>;

// Philox 4x32-10 as the paper has it: one counter, one key.
Words philox(Words c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{c[0]} * 0xD2511F53U, b = std::uint64_t{c[2]} * 0xCD9E8D57U;
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

// Word i of a draw that begins in this state: sixteen counters make a group, and the first words of all come first.
std::uint32_t word_at(const GeneratorState& begin, std::uint64_t i) {
  const std::uint64_t counter = begin.offset + i / 64 * 16 + i % 16;
  return philox({static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0},
                static_cast<std::uint32_t>(begin.seed), static_cast<std::uint32_t>(begin.seed >> 32))[i % 64 / 16];
}

// Every kind of draw, n elements each.
struct Kind {
  const char* name;
  std::function<Tensor(std::int64_t, Generator&)> draw;
  std::int64_t group;  // elements that one group of counters gives
};

std::vector<Kind> kinds() {
  const auto odds = [](std::int64_t n, DType dtype) { return rand({n}, dtype); };
  const Tensor own32 = odds(100003, f32), own64 = odds(100003, f64);
  const auto first = [](const Tensor& t, std::int64_t n) {
    Values values = values_of(t);
    values.resize(static_cast<std::size_t>(n));
    return tensor(values, {n}, t.dtype());
  };
  return {
      {"rand f32", [](std::int64_t n, Generator& g) { return rand({n}, f32, g); }, 64},
      {"rand f64", [](std::int64_t n, Generator& g) { return rand({n}, f64, g); }, 32},
      {"randn f32", [](std::int64_t n, Generator& g) { return randn({n}, f32, g); }, 64},
      {"randn f64", [](std::int64_t n, Generator& g) { return randn({n}, f64, g); }, 32},
      {"randint i64", [](std::int64_t n, Generator& g) { return randint(-9, 1000000, {n}, i64, g); }, 32},
      {"randint u8", [](std::int64_t n, Generator& g) { return randint(0, 256, {n}, u8, g); }, 32},
      {"bernoulli", [](std::int64_t n, Generator& g) { return bernoulli({n}, 0.4, f32, g); }, 64},
      {"bernoulli f32 each", [=](std::int64_t n, Generator& g) { return bernoulli(first(own32, n), g); }, 64},
      {"bernoulli f64 each", [=](std::int64_t n, Generator& g) { return bernoulli(first(own64, n), g); }, 64},
  };
}

bool starts_with(const Values& all, const Values& part) {
  return part.size() <= all.size() && std::equal(part.begin(), part.end(), all.begin());
}

}  // namespace

TEST_CASE("the stream is Philox 4x32-10, word for word") {
  // The known answers of the Random123 library.
  const std::uint32_t full = 0xffffffffU;
  CHECK(philox({0, 0, 0, 0}, 0, 0) == Words{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
  CHECK(philox({full, full, full, full}, full, full) == Words{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU});
  CHECK(philox({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, 0xa4093822U, 0x299f31d0U) ==
        Words{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U});

  for (const GeneratorState& begin :
       {GeneratorState{0, 0}, GeneratorState{0x299f31d0a4093822U, 48}, GeneratorState{7, (std::uint64_t{1} << 32) - 21},
        GeneratorState{~std::uint64_t{0}, std::uint64_t{1} << 63}}) {
    Generator g;
    g.set_state(begin);
    const Tensor narrow = rand({200}, f32, g);
    CHECK(g.state() == GeneratorState{begin.seed, begin.offset + 64});
    g.set_state(begin);
    const Tensor wide = rand({200}, f64, g);
    CHECK(g.state() == GeneratorState{begin.seed, begin.offset + 112});
    for (std::uint64_t i = 0; i < 200; ++i) {
      CHECK(narrow.data<float>()[i] == static_cast<float>(word_at(begin, i) >> 8) * 0x1p-24F);
      const std::uint64_t at = i / 32 * 64 + i % 32;
      const std::uint64_t bits = std::uint64_t{word_at(begin, at)} << 32 | word_at(begin, at + 32);
      CHECK(wide.data<double>()[i] == static_cast<double>(bits >> 11) * 0x1p-53);
    }
  }
}

TEST_CASE("normals are Box and Muller's of the stream") {
  const GeneratorState begin{3, 160};
  Generator g;
  g.set_state(begin);
  const Values narrow = values_of(randn({128}, f32, g));
  g.set_state(begin);
  const Values wide = values_of(randn({64}, f64, g));
  const auto pair = [](double u, double v) {
    const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * 3.14159265358979323846 * v;
    return std::array<double, 2>{radius * std::cos(angle), radius * std::sin(angle)};
  };
  const auto close = [](double got, double expected, double tolerance) {
    return std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected));
  };
  for (std::uint64_t i = 0; i < 64; ++i) {
    const std::uint64_t place = i / 32 * 64 + i % 32;
    const auto unit = [&](std::uint64_t at) { return (word_at(begin, at) + 0.5) * 0x1p-32; };
    const auto expected = pair(unit(place), unit(place + 32));
    CHECK(close(narrow[place], expected[0], 4e-6));
    CHECK(close(narrow[place + 32], expected[1], 4e-6));
  }
  for (std::uint64_t i = 0; i < 32; ++i) {
    const std::uint64_t group = i / 16 * 64, place = i % 16;
    const auto unit = [&](std::uint64_t at) {
      const std::uint64_t bits = std::uint64_t{word_at(begin, group + at)} << 32 | word_at(begin, group + at + 32);
      return (static_cast<double>(bits >> 11) + 1.0) * 0x1p-53;
    };
    const auto expected = pair(unit(place), unit(place + 16));
    CHECK(close(wide[group / 2 + place], expected[0], 1e-13));
    CHECK(close(wide[group / 2 + place + 16], expected[1], 1e-13));
  }
}

TEST_CASE_TEMPLATE("uniform numbers fill [0, 1) evenly and know nothing of each other", T, float, double) {
  manual_seed(11);
  const Values u = values_of(rand({100003}, dtype_of<T>));
  const Moments m = moments_of(u);
  CHECK(m.lowest >= 0);
  CHECK(m.highest < 1);
  CHECK(plausible(m, u.size(), 0.5, 1.0 / 12, 1.8));
  std::vector<std::int64_t> coarse(128), fine(128);
  Values standard;
  for (const double x : u) {
    const double scaled = x * 128;
    ++coarse[static_cast<std::size_t>(scaled)];
    // The eight bits before the last that an f32 has.
    const double low = x * 0x1p16;
    ++fine[static_cast<std::size_t>((low - std::floor(low)) * 128)];
    standard.push_back((x - 0.5) * std::sqrt(12.0));
  }
  CHECK(even(coarse));
  CHECK(even(fine));
  for (std::size_t lag = 1; lag <= 128; ++lag) CHECK(uncorrelated(standard, lag));
}

TEST_CASE_TEMPLATE("normal numbers are normal, none twice, and know nothing of each other", T, float, double) {
  manual_seed(12);
  const Values x = values_of(randn({100003}, dtype_of<T>));
  const auto n = static_cast<double>(x.size());
  const Moments m = moments_of(x);
  CHECK(plausible(m, x.size(), 0, 1, 3));
  CHECK(std::abs(m.kurtosis - 3) < deviations * std::sqrt(24 / n));
  double third = 0;
  for (const double v : x) third += v * v * v / n;
  CHECK(std::abs(third) < deviations * std::sqrt(15 / n));
  for (const auto& [limit, beyond] : {std::pair{0.5, 0.617075}, {1.0, 0.317311}, {2.0, 0.0455003}, {3.0, 0.0026998}})
    for (const double sign : {1.0, -1.0}) {
      const double level = sign * limit;
      const auto count = std::count_if(x.begin(), x.end(), [=](double v) { return v * sign > level * sign; });
      CHECK(plausible(static_cast<double>(count), n, beyond / 2));
    }

  // Neither a number nor its negative comes again: of f64 none, of f32 as few as its digits make meet.
  Values sizes;
  for (const double v : x) sizes.push_back(std::abs(v));
  std::sort(sizes.begin(), sizes.end());
  const auto repeats = sizes.end() - std::unique(sizes.begin(), sizes.end());
  CHECK(repeats <= (dtype_of<T> == f64 ? 0 : 1500));

  Values squares;
  for (const double v : x) squares.push_back((v * v - 1) / std::sqrt(2.0));
  for (std::size_t lag = 1; lag <= 128; ++lag) {
    CHECK(uncorrelated(x, lag));
    CHECK(uncorrelated(squares, lag));
  }
}

TEST_CASE("integers are equally likely over the whole range, whatever its size") {
  manual_seed(13);
  const std::int64_t half = std::int64_t{1} << 62;
  struct Range {
    std::int64_t low, high;
    DType dtype;
  };
  // The last: a remainder of 64 bits would give the first third twice as often as the rest.
  for (const Range& range : {Range{1, 7, i64}, Range{-3, 4, f32}, Range{0, 256, u8}, Range{250, 256, u8},
                             Range{5, 6, i64}, Range{-half, half, i64}, Range{-half, half + half / 2, i64}}) {
    const double low = static_cast<double>(range.low), width = static_cast<double>(range.high) - low;
    CAPTURE(low);
    CAPTURE(width);
    const Values drawn = values_of(randint(range.low, range.high, {60001}, range.dtype));
    const Moments m = moments_of(drawn);
    REQUIRE(m.lowest >= low);
    REQUIRE(m.highest <= static_cast<double>(range.high - 1));
    if (width == 1) continue;
    const double bins = width <= 256 ? width : 30;
    std::vector<std::int64_t> counts(static_cast<std::size_t>(bins));
    Values standard;
    for (const double x : drawn) {
      ++counts.at(static_cast<std::size_t>((x - low) * (bins / width)));
      standard.push_back((x - low - (width - 1) / 2) / std::sqrt((width * width - 1) / 12));
    }
    CHECK(even(counts));
    for (std::size_t lag = 1; lag <= 64; ++lag) CHECK(uncorrelated(standard, lag));
  }
  using Limits = std::numeric_limits<std::int64_t>;
  const Values all = values_of(randint(Limits::min(), Limits::max(), {10000}));
  const auto negative = std::count_if(all.begin(), all.end(), [](double x) { return x < 0; });
  CHECK(plausible(static_cast<double>(negative), 10000, 0.5));
}

TEST_CASE("coins fall by their probability, each for itself") {
  manual_seed(14);
  for (const DType dtype : {f32, f64, i64, u8})
    for (const double p : {0.03, 0.5, 0.9}) {
      const Values coins = values_of(bernoulli({50001}, p, dtype));
      CHECK(std::all_of(coins.begin(), coins.end(), [](double coin) { return coin == 0 || coin == 1; }));
      std::vector<double> at(64), standard;
      for (std::size_t i = 0; i < coins.size(); ++i) {
        at[i % 64] += coins[i];
        standard.push_back((coins[i] - p) / std::sqrt(p * (1 - p)));
      }
      CAPTURE(p);
      CHECK(plausible(std::accumulate(at.begin(), at.end(), 0.0), 50001, p));
      for (std::size_t i = 0; i < 64; ++i) CHECK(plausible(at[i], i < 50001 % 64 ? 782 : 781, p));
      for (std::size_t lag = 1; lag <= 128; ++lag) CHECK(uncorrelated(standard, lag));
    }
  CHECK(moments_of(bernoulli({5000}, 1.0)).lowest == 1);
  CHECK(moments_of(bernoulli({5000}, 0.0)).highest == 0);
}

TEST_CASE_TEMPLATE("coins with probabilities of their own", T, float, double) {
  manual_seed(15);
  // Eleven probabilities in turn: eleven and the sixteen counters of a group have no common divisor.
  Values p(77000);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<double>(i % 11) / 10;
  const Tensor probabilities = tensor(p, {7, 11000}, dtype_of<T>);
  const Tensor drawn = bernoulli(probabilities);
  CHECK(drawn.shape() == probabilities.shape());
  CHECK(drawn.dtype() == dtype_of<T>);
  const Values coins = values_of(drawn);
  std::vector<double> ones(11), standard;
  for (std::size_t i = 0; i < p.size(); ++i) {
    ones[i % 11] += coins[i];
    if (p[i] > 0 && p[i] < 1) standard.push_back((coins[i] - p[i]) / std::sqrt(p[i] * (1 - p[i])));
  }
  for (std::size_t k = 0; k < 11; ++k) {
    CAPTURE(k);
    CHECK(plausible(ones[k], 7000, static_cast<double>(k) / 10));
  }
  for (std::size_t lag = 1; lag <= 128; ++lag) CHECK(uncorrelated(standard, lag));
  // The same coins as with one probability for all.
  Generator a(4), b(4);
  CHECK(values_of(bernoulli(full({1000}, 0.25, dtype_of<T>), a)) == values_of(bernoulli({1000}, 0.25, f32, b)));
}

TEST_CASE("permutations are permutations, each as likely as any other") {
  manual_seed(16);
  std::vector<std::int64_t> counts(120);
  for (int draw = 0; draw < 6000; ++draw) {
    const Values order = values_of(randperm(5));
    std::size_t number = 0;  // in the list of all permutations
    for (std::size_t i = 0; i < 5; ++i) {
      std::size_t smaller = 0;
      for (std::size_t k = i + 1; k < 5; ++k) smaller += order[k] < order[i] ? 1 : 0;
      number = number * (5 - i) + smaller;
    }
    ++counts[number];
  }
  CHECK(even(counts));

  const std::int64_t n = 20000;
  double fixed = 0, shift = 0;
  for (int draw = 0; draw < 25; ++draw) {
    const Values order = values_of(randperm(n));
    std::vector<bool> seen(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto at = static_cast<std::size_t>(order[i]);
      seen.at(at) = true;
      fixed += at == i ? 1 : 0;
      shift += std::abs(order[i] - static_cast<double>(i));
    }
    CHECK(std::count(seen.begin(), seen.end(), true) == n);
  }
  // One a permutation on average, with variance one; and places differ by a third of n.
  CHECK(std::abs(fixed - 25) <= deviations * std::sqrt(25.0));
  CHECK(shift / 25 / static_cast<double>(n * n) == doctest::Approx(1.0 / 3).epsilon(0.005));
  CHECK(randperm(0).size() == 0);
  CHECK(values_of(randperm(1, u8)) == Values{0});
  std::vector<double> bytes = values_of(randperm(256, u8));
  std::sort(bytes.begin(), bytes.end());
  CHECK(bytes == values_of(arange(256)));
  CHECK_THROWS_AS(randperm(257, u8), Error);
  CHECK_THROWS_AS(randperm(-1), Error);
}

TEST_CASE("an element's place decides what it gets: not the size of the draw, nor the number of threads") {
  const int threads = num_threads();
  for (const Kind& kind : kinds()) {
    CAPTURE(std::string(kind.name));
    Generator g(21);
    set_num_threads(1);
    const Values all = values_of(kind.draw(100003, g));
    const GeneratorState after = g.state();
    CHECK(after.offset == static_cast<std::uint64_t>((100003 + kind.group - 1) / kind.group * 16));
    for (const int count : {2, 3, 4}) {
      set_num_threads(count);
      g.set_state({21, 0});
      CHECK(values_of(kind.draw(100003, g)) == all);
      CHECK(g.state() == after);
    }
    for (const std::int64_t n : {1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 1001}) {
      CAPTURE(n);
      g.set_state({21, 0});
      CHECK(starts_with(all, values_of(kind.draw(n, g))));
    }
  }
  set_num_threads(threads);
}

TEST_CASE("one draw after another goes on in the stream, and takes none of it twice") {
  for (const Kind& kind : kinds()) {
    if (std::string(kind.name).find("each") != std::string::npos) continue;  // its odds begin anew
    CAPTURE(std::string(kind.name));
    Generator whole(22), parts(22);
    const Values all = values_of(kind.draw(kind.group * 7, whole));
    Values joined = values_of(kind.draw(kind.group * 3, parts));
    const GeneratorState between = parts.state();
    const Values rest = values_of(kind.draw(kind.group * 4, parts));
    joined.insert(joined.end(), rest.begin(), rest.end());
    CHECK(joined == all);
    CHECK(parts.state() == whole.state());
    parts.set_state(between);
    CHECK(values_of(kind.draw(kind.group * 4, parts)) == rest);
    Generator copy(parts);
    CHECK(values_of(kind.draw(50, copy)) == values_of(kind.draw(50, parts)));
  }
  Generator g(23);
  Values seen;
  for (int draw = 0; draw < 200; ++draw)
    for (const double x : values_of(randn({1 + draw % 3}, f64, g))) seen.push_back(x);
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("manual_seed starts the default generator's stream anew") {
  manual_seed(31);
  CHECK(default_generator().state() == GeneratorState{31, 0});
  const Values first = values_of(rand({10}, f64));
  manual_seed(32);
  CHECK(values_of(rand({10}, f64)) != first);
  manual_seed(31);
  Generator g(31);
  CHECK(values_of(rand({10}, f64, g)) == first);  // a generator of its own leaves the default one alone
  CHECK(values_of(rand_like(zeros({10}, f64))) == first);
  CHECK(values_of(randn_like(zeros({10}, f64))) == values_of(randn({10}, f64, g)));
}

TEST_CASE("recomputations in reverse order draw what each drew at first") {
  manual_seed(33);
  const std::function<Tensor(const Tensor&)> drop = [](const Tensor& t) {
    return dropout(t, 0.5, true) * (rand_like(t) + 0.5);
  };
  const Tensor x = parameter(ones({300}, f64));
  const Tensor once = checkpoint(drop, x), twice = checkpoint(drop, once);
  const GeneratorState after = default_generator().state();
  const Values forward = values_of(twice);
  CHECK(forward != values_of(once));
  twice.backward(ones({300}, f64));
  CHECK(default_generator().state() == after);
  // Of a product with numbers alone, of ones, the gradient is the value.
  const Values gradient = values_of(x.grad());
  for (std::size_t i = 0; i < 300; ++i) CHECK(gradient[i] == doctest::Approx(forward[i]).epsilon(1e-14));
}

#include <weft/engine/random.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/detail/xsimd.hpp>

namespace weft {
namespace detail {
namespace {

thread_local constinit DrawScope* innermost_scope = nullptr;

// Philox is run on this many counters at once, so that the compiler has whole vectors to work on. A draw always takes
// whole groups: which element gets which bits depends on nothing but its place.
constexpr std::int64_t side_by_side = 16;
constexpr std::int64_t group_words = 4 * side_by_side;
using Words = std::array<std::uint32_t, static_cast<std::size_t>(group_words)>;

// The random words of the `side_by_side` counters from `counter` on; word w of counter l at w * side_by_side + l.
void philox(std::uint64_t seed, std::uint64_t counter, Words& words) {
  alignas(64) std::uint32_t c0[side_by_side], c1[side_by_side], c2[side_by_side] = {}, c3[side_by_side] = {};
  for (std::uint32_t l = 0; l < side_by_side; ++l) {
    c0[l] = static_cast<std::uint32_t>(counter + l);
    c1[l] = static_cast<std::uint32_t>((counter + l) >> 32);
  }
  auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::int64_t l = 0; l < side_by_side; ++l) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c0[l], p1 = std::uint64_t{0xCD9E8D57U} * c2[l];
      c0[l] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[l] ^ k0;
      c1[l] = static_cast<std::uint32_t>(p1);
      c2[l] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[l] ^ k1;
      c3[l] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  std::copy_n(c0, side_by_side, words.begin());
  std::copy_n(c1, side_by_side, words.begin() + side_by_side);
  std::copy_n(c2, side_by_side, words.begin() + 2 * side_by_side);
  std::copy_n(c3, side_by_side, words.begin() + 3 * side_by_side);
}

std::uint64_t word64(const Words& words, std::int64_t i) {
  const auto at = static_cast<std::size_t>(i);
  return std::uint64_t{words[at]} << 32 | words[at + group_words / 2];
}

// Elements that one group of words gives.
template <class T>
constexpr std::int64_t group_of = sizeof(T) == 4 ? group_words : group_words / 2;

template <class T>
void uniform(const Words& words, T* out) {
  for (std::int64_t i = 0; i < group_of<T>; ++i) {
    if constexpr (std::is_same_v<T, float>)
      out[i] = static_cast<float>(static_cast<std::int32_t>(words[static_cast<std::size_t>(i)] >> 8)) * 0x1p-24F;
    else
      out[i] = static_cast<double>(static_cast<std::int64_t>(word64(words, i) >> 11)) * 0x1p-53;
  }
}

// In (0, 1], as a logarithm needs it: with all 32 bits for f32, so that the tails of the normal reach 6.6.
template <class T>
void positive_uniform(const Words& words, T* out) {
  for (std::int64_t i = 0; i < group_of<T>; ++i) {
    if constexpr (std::is_same_v<T, float>)
      out[i] = (static_cast<float>(words[static_cast<std::size_t>(i)]) + 0.5F) * 0x1p-32F;
    else
      out[i] = (static_cast<double>(static_cast<std::int64_t>(word64(words, i) >> 11)) + 1.0) * 0x1p-53;
  }
}

template <class T>
void normal(const Words& words, T* out) {
  using Vector = xsimd::batch<T>;
  constexpr std::int64_t half = group_of<T> / 2;
  static_assert(half % static_cast<std::int64_t>(Vector::size) == 0);
  alignas(64) T u[static_cast<std::size_t>(group_of<T>)];
  positive_uniform(words, u);
  for (std::int64_t i = 0; i < half; i += static_cast<std::int64_t>(Vector::size)) {
    const Vector radius = xsimd::sqrt(xsimd::log(Vector::load_aligned(u + i)) * Vector(T(-2)));
    const auto [sine, cosine] = xsimd::sincos(Vector::load_aligned(u + half + i) * Vector(T(2 * std::numbers::pi)));
    (radius * cosine).store_unaligned(out + i);
    (radius * sine).store_unaligned(out + half + i);
  }
}

// Fills `out` by make(words, at most group elements): whole groups in place, the last one by way of a buffer.
template <class T, class Make>
void fill(T* out, std::int64_t n, std::int64_t group, const char* op, Generator& generator, const Make& make) {
  if (n == 0) return;
  const std::int64_t groups = (n + group - 1) / group;
  if (groups > (std::int64_t{1} << 58)) fail(op, ": got ", n, " elements, needs fewer");
  const GeneratorState begin = generator.take(static_cast<std::uint64_t>(groups * side_by_side));
  parallel_for(groups, 256, [&](std::int64_t first, std::int64_t last) {
    Words words;
    std::array<T, static_cast<std::size_t>(group_words)> rest;
    for (std::int64_t g = first; g < last; ++g) {
      philox(begin.seed, begin.offset + static_cast<std::uint64_t>(g * side_by_side), words);
      const std::int64_t count = std::min(group, n - g * group);
      T* at = out + g * group;
      if (count == group) {
        make(words, at, g * group, count);
      } else {
        make(words, rest.data(), g * group, count);
        std::copy_n(rest.data(), count, at);
      }
    }
  });
}

Tensor floating(const char* op, const Shape& shape, DType dtype) {
  if (!is_floating(dtype)) fail(op, ": got ", dtype, ", needs f32 or f64");
  return make_tensor(op, shape, dtype);
}

void check_probability(double p) {
  if (!(p >= 0.0 && p <= 1.0)) fail("bernoulli: got probability ", p, ", needs 0 <= p <= 1");
}

// Exact for p = 0 and p = 1.
bool happens(std::uint32_t word, double p) { return static_cast<double>(word) * 0x1p-32 < p; }

}  // namespace

DrawScope::DrawScope(Draws& draws, Mode mode) : draws_(draws), mode_(mode), outer_(innermost_scope) {
  innermost_scope = this;
}
DrawScope::~DrawScope() { innermost_scope = outer_; }

}  // namespace detail

GeneratorState Generator::take(std::uint64_t blocks) {
  using detail::DrawScope;
  // What is repeated was noted outside already: the walk ends at the innermost scope that repeats.
  DrawScope* repeating = detail::innermost_scope;
  while (repeating != nullptr && repeating->mode_ != DrawScope::Mode::repeat) repeating = repeating->outer_;
  GeneratorState begin;
  if (repeating != nullptr) {
    const auto& ranges = repeating->draws_.ranges;
    if (repeating->next_ == ranges.size() || ranges[repeating->next_].blocks != blocks)
      fail("checkpoint: the function drew other random numbers when computed again, needs the same draws each time");
    begin = ranges[repeating->next_++].begin;
  } else {
    begin = {seed_.load(), offset_.fetch_add(blocks)};
  }
  for (DrawScope* scope = detail::innermost_scope; scope != repeating; scope = scope->outer_)
    scope->draws_.ranges.push_back({begin, blocks});
  return begin;
}

Generator& default_generator() {
  static Generator generator;
  return generator;
}

void manual_seed(std::uint64_t seed) { default_generator().set_state({seed, 0}); }

Tensor rand(const Shape& shape, DType dtype, Generator& generator) {
  Tensor result = detail::floating("rand", shape, dtype);
  detail::visit_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    detail::fill(detail::mutable_data_of<T>(result), result.size(), detail::group_of<T>, "rand", generator,
                 [](const detail::Words& words, T* out, std::int64_t, std::int64_t) { detail::uniform(words, out); });
  });
  return result;
}

Tensor randn(const Shape& shape, DType dtype, Generator& generator) {
  Tensor result = detail::floating("randn", shape, dtype);
  detail::visit_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    detail::fill(detail::mutable_data_of<T>(result), result.size(), detail::group_of<T>, "randn", generator,
                 [](const detail::Words& words, T* out, std::int64_t, std::int64_t) { detail::normal(words, out); });
  });
  return result;
}

Tensor rand_like(const Tensor& t, Generator& generator) { return rand(t.shape(), t.dtype(), generator); }
Tensor randn_like(const Tensor& t, Generator& generator) { return randn(t.shape(), t.dtype(), generator); }

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, DType dtype, Generator& generator) {
  if (low >= high) fail("randint: got low ", low, " and high ", high, ", needs low < high");
  const bool fits = dtype == u8 ? low >= 0 && high <= 256
                                : dtype == i64 || (low >= -(std::int64_t{1} << 53) && high <= std::int64_t{1} << 53);
  if (!fits) fail("randint: got low ", low, " and high ", high, ", needs values that ", dtype, " can hold");
  Tensor result = detail::make_tensor("randint", shape, dtype);
  const auto range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  detail::visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    detail::fill(detail::mutable_data_of<T>(result), result.size(), detail::group_words / 2, "randint", generator,
                 [&](const detail::Words& words, T* out, std::int64_t, std::int64_t count) {
                   for (std::int64_t i = 0; i < count; ++i) {
                     // The high half of a 128-bit product: no modulo, and a bias of at most range / 2^64.
                     __extension__ using Wide = unsigned __int128;
                     const auto up = static_cast<std::uint64_t>(Wide{detail::word64(words, i)} * range >> 64);
                     out[i] = static_cast<T>(static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + up));
                   }
                 });
  });
  return result;
}

Tensor bernoulli(const Shape& shape, double p, DType dtype, Generator& generator) {
  detail::check_probability(p);
  Tensor result = detail::make_tensor("bernoulli", shape, dtype);
  detail::visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    detail::fill(detail::mutable_data_of<T>(result), result.size(), detail::group_words, "bernoulli", generator,
                 [&](const detail::Words& words, T* out, std::int64_t, std::int64_t) {
                   for (std::size_t i = 0; i < words.size(); ++i) out[i] = detail::happens(words[i], p) ? T(1) : T(0);
                 });
  });
  return result;
}

Tensor bernoulli(const Tensor& probabilities, Generator& generator) {
  Tensor result = detail::floating("bernoulli", probabilities.shape(), probabilities.dtype());
  detail::visit_floating(probabilities.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* p = detail::data_of<T>(probabilities);
    for (std::int64_t i = 0; i < probabilities.size(); ++i) detail::check_probability(static_cast<double>(p[i]));
    detail::fill(detail::mutable_data_of<T>(result), result.size(), detail::group_words, "bernoulli", generator,
                 [&](const detail::Words& words, T* out, std::int64_t first, std::int64_t count) {
                   for (std::int64_t i = 0; i < count; ++i)
                     out[i] = detail::happens(words[static_cast<std::size_t>(i)], static_cast<double>(p[first + i]))
                                  ? T(1)
                                  : T(0);
                 });
  });
  return result;
}

Tensor randperm(std::int64_t n, DType dtype, Generator& generator) {
  if (n < 0) fail("randperm: got ", n, ", needs at least 0");
  if (dtype == u8 && n > 256) fail("randperm: got ", n, ", needs at most 256 for u8");
  Tensor result = detail::make_tensor("randperm", {n}, dtype);
  // Fisher and Yates; the words that decide are drawn first, all at once.
  std::vector<std::uint64_t> words(static_cast<std::size_t>(n));
  detail::fill(words.data(), n, detail::group_words / 2, "randperm", generator,
               [](const detail::Words& from, std::uint64_t* out, std::int64_t, std::int64_t count) {
                 for (std::int64_t i = 0; i < count; ++i) out[i] = detail::word64(from, i);
               });
  detail::visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = detail::mutable_data_of<T>(result);
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(i);
    for (std::int64_t i = n - 1; i > 0; --i) {
      __extension__ using Wide = unsigned __int128;
      const Wide product = Wide{words[static_cast<std::size_t>(i)]} * static_cast<std::uint64_t>(i + 1);
      std::swap(out[i], out[static_cast<std::int64_t>(product >> 64)]);
    }
  });
  return result;
}

}  // namespace weft

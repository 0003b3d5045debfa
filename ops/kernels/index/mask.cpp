#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/index/mask.hpp>

#include <algorithm>

namespace weft::detail {

namespace {

constexpr std::int64_t block = 4096;

std::int64_t blocks_of(std::int64_t n) { return (n + block - 1) / block; }

// Calls f(start, size, places, count, first) for each block: `count` elements are chosen, at start + places[...], and
// are the `first`-th and those that follow of all.
template <class T, class F>
void for_each_block(const T* x, const std::vector<std::int64_t>& before, std::int64_t n, F f) {
  parallel_for(blocks_of(n), grain_for(block), [=, &before](std::int64_t begin, std::int64_t end) {
    std::int32_t places[block + 1];
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t start = b * block, size = std::min(block, n - start);
      std::int64_t count = 0;
      for (std::int64_t i = 0; i < size; ++i) {  // written whether chosen or not, which spares a branch
        places[count] = static_cast<std::int32_t>(i);
        count += std::int64_t{x[start + i] != T{0}};
      }
      f(start, size, static_cast<const std::int32_t*>(places), count, before[static_cast<std::size_t>(b)]);
    }
  });
}

template <class F>
void with_words(int width, F f) {
  if (width == 1) return f(std::uint8_t{});
  if (width == 4) return f(std::uint32_t{});
  f(std::uint64_t{});
}

}  // namespace

template <class T>
std::vector<std::int64_t> chosen_before(const T* x, std::int64_t n) {
  const std::int64_t blocks = blocks_of(n);
  std::vector<std::int64_t> before(static_cast<std::size_t>(blocks) + 1);
  parallel_for(blocks, grain_for(block / 2), [=, counts = before.data() + 1](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const T* const from = x + b * block;
      int count = 0;
      for (std::int64_t i = 0; i < std::min(block, n - b * block); ++i) count += int{from[i] != T{0}};
      counts[b] = count;
    }
  });
  for (std::size_t b = 1; b < before.size(); ++b) before[b] += before[b - 1];
  return before;
}

template <class T>
void chosen_indices(const T* x, const std::vector<std::int64_t>& before, const std::int64_t* shape, int rank,
                    std::int64_t* out) {
  std::int64_t n = 1;
  for (int a = 0; a < rank; ++a) n *= shape[a];
  for_each_block(
      x, before, n,
      [=](std::int64_t start, std::int64_t, const std::int32_t* places, std::int64_t count, std::int64_t first) {
        for (std::int64_t k = 0; k < count; ++k) {
          std::int64_t rest = start + places[k];
          std::int64_t* const index = out + (first + k) * rank;
          for (int a = rank - 1; a > 0; --a) {
            index[a] = rest % shape[a];
            rest /= shape[a];
          }
          if (rank > 0) index[0] = rest;
        }
      });
}

void masked_take(const void* x, const std::uint8_t* mask, const std::vector<std::int64_t>& before, std::int64_t n,
                 void* y, int width) {
  with_words(width, [&](auto word) {
    using Word = decltype(word);
    for_each_block(
        mask, before, n,
        [=](std::int64_t start, std::int64_t, const std::int32_t* places, std::int64_t count, std::int64_t first) {
          const Word* const from = static_cast<const Word*>(x) + start;
          Word* const to = static_cast<Word*>(y) + first;
          for (std::int64_t k = 0; k < count; ++k) to[k] = from[places[k]];
        });
  });
}

void masked_place(const void* x, const std::uint8_t* mask, const std::vector<std::int64_t>& before, std::int64_t n,
                  void* y, int width) {
  with_words(width, [&](auto word) {
    using Word = decltype(word);
    for_each_block(
        mask, before, n,
        [=](std::int64_t start, std::int64_t size, const std::int32_t* places, std::int64_t count, std::int64_t first) {
          const Word* const from = static_cast<const Word*>(x) + first;
          Word* const to = static_cast<Word*>(y) + start;
          std::fill_n(to, size, Word{0});
          for (std::int64_t k = 0; k < count; ++k) to[places[k]] = from[k];
        });
  });
}

#define WEFT_INSTANTIATE(T)                                                 \
  template std::vector<std::int64_t> chosen_before(const T*, std::int64_t); \
  template void chosen_indices(const T*, const std::vector<std::int64_t>&, const std::int64_t*, int, std::int64_t*);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
WEFT_INSTANTIATE(std::int64_t)
WEFT_INSTANTIATE(std::uint8_t)
#undef WEFT_INSTANTIATE

}  // namespace weft::detail

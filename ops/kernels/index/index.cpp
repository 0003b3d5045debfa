#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/copy/copy_block.hpp>
#include <weft/ops/kernels/index/index.hpp>

#include <algorithm>

namespace weft::detail {

namespace {

// Calls f(position, k) for k = 0, ..., n - 1: four at a time, whose positions and `read` values are read first, as a
// load after a store that may go anywhere waits for it.
template <class Read, class F>
void for_positions(const std::int64_t* index, std::int64_t n, Read read, F f) {
  std::int64_t k = 0;
  for (; k + 4 <= n; k += 4) {
    const std::int64_t at[] = {index[k], index[k + 1], index[k + 2], index[k + 3]};
    const decltype(read(at[0], k)) values[] = {read(at[0], k), read(at[1], k + 1), read(at[2], k + 2),
                                               read(at[3], k + 3)};
    for (int i = 0; i < 4; ++i) f(at[i], k + i, values[i]);
  }
  for (; k < n; ++k) f(index[k], k, read(index[k], k));
}

// y[k] is element index[k] of column k: the columns are those of rows as long as `inner`, or one where that is 1.
template <class Word>
void take_at(const Word* x, const std::int64_t* index, std::int64_t n, std::int64_t inner, Word* y) {
  const std::int64_t next = inner == 1 ? 0 : 1;
  for_positions(
      index, n, [=](std::int64_t at, std::int64_t k) { return x[at * inner + k * next]; },
      [=](std::int64_t, std::int64_t k, Word value) { y[k] = value; });
}

// Adds x[k] to element index[k] of column k, in the same places.
template <class T>
void add_at(const T* x, const std::int64_t* index, std::int64_t n, std::int64_t inner, T* y) {
  const std::int64_t next = inner == 1 ? 0 : 1;
  for_positions(
      index, n, [=](std::int64_t, std::int64_t k) { return x[k]; },
      [=](std::int64_t at, std::int64_t k, T value) { y[at * inner + k * next] += value; });
}

// `index` goes on by index_step from one image to the next: 0 if all share it, and then inner is 1.
template <class Word>
void take_words(const Word* x, Collapsed s, const std::int64_t* index, std::int64_t index_step, std::int64_t count,
                Word* y) {
  parallel_for(s.outer * count, grain_for(s.inner), [=](std::int64_t begin, std::int64_t end) {
    std::int64_t o = begin / count;  // a division for each image would cost more than a short one's elements
    for (std::int64_t k = begin; k < end; ++o) {
      const std::int64_t last = std::min(end, (o + 1) * count);
      const Word* from = x + o * s.axis * s.inner;
      const std::int64_t* at = index + o * index_step - o * count * s.inner;
      if (s.inner == 1) {
        take_at(from, at + k, last - k, 1, y + k);
        k = last;
        continue;
      }
      for (; k < last; ++k) take_at(from, at + k * s.inner, s.inner, s.inner, y + k * s.inner);
    }
  });
}

void take(const void* x, Collapsed shape, const std::int64_t* index, std::int64_t index_step, std::int64_t count,
          void* y, int width) {
  const auto words = [&](auto word) {
    using Word = decltype(word);
    take_words(static_cast<const Word*>(x), shape, index, index_step, count, static_cast<Word*>(y));
  };
  if (width == 1) return words(std::uint8_t{});
  if (width == 4) return words(std::uint32_t{});
  words(std::uint64_t{});
}

}  // namespace

std::int64_t first_out_of_range(const std::int64_t* index, std::int64_t n, std::int64_t limit) {
  constexpr std::int64_t block = 256;
  const auto outside = [limit](std::int64_t i) { return (int{i < 0} | int{i >= limit}) != 0; };
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t last = std::min(n, first + block);
    int found = 0;
    for (std::int64_t i = first; i < last; ++i) found |= int{outside(index[i])};
    if (found != 0) return std::find_if(index + first, index + last, outside) - index;
  }
  return -1;
}

void index_select(const void* x, Collapsed s, const std::int64_t* index, std::int64_t count, void* y, int width) {
  if (s.inner == 1) return take(x, s, index, 0, count, y, width);
  const std::int64_t row = s.inner * width;
  parallel_for(s.outer * count, grain_for(s.inner), [=](std::int64_t begin, std::int64_t end) {
    std::int64_t o = begin / count;  // not a division for each row
    for (std::int64_t k = begin; k < end; ++o) {
      const auto* const from = static_cast<const char*>(x) + o * s.axis * row;
      const std::int64_t* const at = index - o * count;
      for (const std::int64_t last = std::min(end, (o + 1) * count); k < last; ++k)
        copy_block(static_cast<char*>(y) + k * row, from + at[k] * row, row);
    }
  });
}

template <class T>
void index_add(const T* source, const std::int64_t* index, std::int64_t count, T* y, Collapsed s) {
  if (s.outer == 0 || s.inner == 0) return;
  // Threads share out images, or else the rows that are added to: each row has one owner, who keeps the order of j.
  const auto add = [=](std::int64_t o, std::int64_t first, std::int64_t last) {
    if (s.inner == 1 && last - first == s.axis) {
      add_at(source + o * count, index, count, 1, y + o * s.axis);
      return;
    }
    for (std::int64_t j = 0; j < count; ++j) {
      if (index[j] < first || index[j] >= last) continue;
      const T* from = source + (o * count + j) * s.inner;
      T* to = y + (o * s.axis + index[j]) * s.inner;
      for (std::int64_t i = 0; i < s.inner; ++i) to[i] += from[i];
    }
  };
  if (s.outer > 1) {
    parallel_for(s.outer, grain_for(count * s.inner), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) add(o, 0, s.axis);
    });
  } else {
    const std::int64_t each = std::max<std::int64_t>(count * s.inner / std::max<std::int64_t>(s.axis, 1), 1);
    parallel_for(s.axis, grain_for(each), [=](std::int64_t begin, std::int64_t end) { add(0, begin, end); });
  }
}

void take_along(const void* x, Collapsed shape, const std::int64_t* index, std::int64_t count, void* y, int width) {
  take(x, shape, index, count * shape.inner, count, y, width);
}

template <class T>
void scatter_add_along(const T* source, const std::int64_t* index, std::int64_t count, T* y, Collapsed s) {
  // Threads share out the columns, each of which has one owner, who keeps the order.
  parallel_for(s.outer * s.inner, grain_for(count), [=](std::int64_t begin, std::int64_t end) {
    std::int64_t o = begin / s.inner;
    for (std::int64_t column = begin; column < end; ++o) {
      const std::int64_t first = column - o * s.inner, columns = std::min(end - column, s.inner - first);
      column += columns;
      T* const to = y + o * s.axis * s.inner + first;
      const std::int64_t from = o * count * s.inner + first;
      if (s.inner == 1) {
        add_at(source + from, index + from, count, 1, to);
        continue;
      }
      for (std::int64_t k = from; k < from + count * s.inner; k += s.inner)
        add_at(source + k, index + k, columns, s.inner, to);
    }
  });
}

template <class T>
void take_labelled(const T* x, const std::int64_t* labels, std::int64_t ignored, T* y, std::int64_t n,
                   std::int64_t classes) {
  parallel_for(n, grain_for(1), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = begin; j < end; ++j) y[j] = labels[j] == ignored ? T(0) : x[j * classes + labels[j]];
  });
}

template <class T>
void place_labelled(const T* x, const std::int64_t* labels, std::int64_t ignored, T* y, std::int64_t n,
                    std::int64_t classes) {
  parallel_for(n, grain_for(classes), [=](std::int64_t begin, std::int64_t end) {
    std::fill_n(y + begin * classes, (end - begin) * classes, T(0));
    for (std::int64_t j = begin; j < end; ++j)
      if (labels[j] != ignored) y[j * classes + labels[j]] = x[j];
  });
}

void one_hot(const std::int64_t* index, std::int64_t* y, std::int64_t n, std::int64_t classes) {
  parallel_for(n, grain_for(classes), [=](std::int64_t begin, std::int64_t end) {
    std::fill_n(y + begin * classes, (end - begin) * classes, 0);
    for (std::int64_t j = begin; j < end; ++j) y[j * classes + index[j]] = 1;
  });
}

template void index_add(const float*, const std::int64_t*, std::int64_t, float*, Collapsed);
template void index_add(const double*, const std::int64_t*, std::int64_t, double*, Collapsed);
template void index_add(const std::int64_t*, const std::int64_t*, std::int64_t, std::int64_t*, Collapsed);
template void scatter_add_along(const float*, const std::int64_t*, std::int64_t, float*, Collapsed);
template void scatter_add_along(const double*, const std::int64_t*, std::int64_t, double*, Collapsed);
template void scatter_add_along(const std::int64_t*, const std::int64_t*, std::int64_t, std::int64_t*, Collapsed);
template void take_labelled(const float*, const std::int64_t*, std::int64_t, float*, std::int64_t, std::int64_t);
template void take_labelled(const double*, const std::int64_t*, std::int64_t, double*, std::int64_t, std::int64_t);
template void place_labelled(const float*, const std::int64_t*, std::int64_t, float*, std::int64_t, std::int64_t);
template void place_labelled(const double*, const std::int64_t*, std::int64_t, double*, std::int64_t, std::int64_t);

}  // namespace weft::detail

#include <weft/ops/kernels/copy.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <weft/engine/parallel.hpp>

namespace weft::detail {
namespace {

constexpr std::int64_t bytes_per_thread = 1 << 19;

struct Axis {
  std::int64_t size, x, y;  // y's and x's steps along it, in elements
};

// The axes of a copy, y's largest step first, those of size 1 left out and neighbours merged where both go on alike.
struct Plan {
  Axis axes[max_copy_rank];
  int rank = 0;

  Plan(const std::int64_t* shape, const std::int64_t* x_strides, const std::int64_t* y_strides, int all) {
    Axis sorted[max_copy_rank];
    int count = 0;
    for (int a = 0; a < all; ++a)
      if (shape[a] != 1) sorted[count++] = {shape[a], x_strides[a], y_strides[a]};
    std::stable_sort(sorted, sorted + count,
                     [](const Axis& a, const Axis& b) { return std::abs(a.y) > std::abs(b.y); });
    for (int a = 0; a < count; ++a) {
      const Axis& next = sorted[a];
      if (rank > 0 && axes[rank - 1].x == next.x * next.size && axes[rank - 1].y == next.y * next.size)
        axes[rank - 1] = {axes[rank - 1].size * next.size, next.x, next.y};
      else
        axes[rank++] = next;
    }
  }
  Axis take(int at) {
    const Axis axis = axes[at];
    std::copy(axes + at + 1, axes + rank, axes + at);
    --rank;
    return axis;
  }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int a = 0; a < rank; ++a) n *= axes[a].size;
    return n;
  }
  // Calls f(x offset, y offset) for the indices [begin, end) of all axes.
  template <class F>
  void for_range(std::int64_t begin, std::int64_t end, F&& f) const {
    std::int64_t index[max_copy_rank] = {}, x = 0, y = 0, rest = begin;
    for (int a = rank - 1; a >= 0; --a) {
      index[a] = rest % axes[a].size;
      rest /= axes[a].size;
      x += index[a] * axes[a].x;
      y += index[a] * axes[a].y;
    }
    for (std::int64_t n = begin; n < end; ++n) {
      f(x, y);
      for (int a = rank - 1; a >= 0; --a) {
        x += axes[a].x;
        y += axes[a].y;
        if (++index[a] < axes[a].size) break;
        x -= axes[a].x * axes[a].size;
        y -= axes[a].y * axes[a].size;
        index[a] = 0;
      }
    }
  }
};

// A tile is a square of whole cache lines for 4 and 8 bytes: every line is read and written once.
template <class T>
inline constexpr int tile = sizeof(T) == 1 ? 16 : static_cast<int>(64 / sizeof(T));
template <class T>
struct Row {
  typedef T type __attribute__((vector_size(sizeof(T) * static_cast<std::size_t>(tile<T>))));
};

// Interleaving rows i and i + N / 2, log2(N) times over, transposes.
template <class T, int... K>
inline void transpose_tile(const T* x, std::int64_t x_step, T* y, std::int64_t y_step,
                           std::integer_sequence<int, K...>) {
  constexpr int n = tile<T>;
  using Vector = typename Row<T>::type;
  Vector rows[n], next[n];
  for (int i = 0; i < n; ++i) std::memcpy(&rows[i], x + i * x_step, sizeof(Vector));
  for (int round = 1; round < n; round *= 2) {
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = __builtin_shufflevector(rows[i], rows[i + n / 2], (K / 2 + K % 2 * n)...);
      next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + n / 2], (n / 2 + K / 2 + K % 2 * n)...);
    }
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
  for (int i = 0; i < n; ++i) std::memcpy(y + i * y_step, &rows[i], sizeof(Vector));
}

// Along `across` x is contiguous, along `down` y: y[a * across.y + d] = x[a + d * down.x] for a in [begin, end).
template <class T>
void transpose_band(const T* x, T* y, const Axis& across, const Axis& down, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t n = tile<T>;
  const std::int64_t whole = end - begin == n ? down.size / n * n : 0;
  for (std::int64_t d = 0; d < whole; d += n)
    transpose_tile(x + begin + d * down.x, down.x, y + begin * across.y + d, across.y,
                   std::make_integer_sequence<int, static_cast<int>(n)>());
  for (std::int64_t a = begin; a < end; ++a)
    for (std::int64_t d = whole; d < down.size; ++d) y[a * across.y + d] = x[a + d * down.x];
}

template <class T>
void copy_row(const T* x, T* y, const Axis& row) {
  if (row.y == 1 && row.x == 1) {
    std::memcpy(y, x, static_cast<std::size_t>(row.size) * sizeof(T));
  } else if (row.y == 1 && row.x == 0) {
    std::fill_n(y, row.size, *x);
  } else {
    for (std::int64_t i = 0; i < row.size; ++i) y[i * row.y] = x[i * row.x];
  }
}

template <class T>
void copy_plan(const T* x, T* y, Plan plan) {
  if (plan.rank == 0) {
    *y = *x;
    return;
  }
  const Axis row = plan.take(plan.rank - 1);
  int across = -1;
  for (int a = 0; a < plan.rank; ++a)
    if (plan.axes[a].x == 1 && row.y == 1 && row.x != 1 && row.x != 0) across = a;
  const std::int64_t grain_elements = bytes_per_thread / static_cast<std::int64_t>(sizeof(T));
  if (across < 0) {
    parallel_for(plan.count(), std::max<std::int64_t>(1, grain_elements / row.size),
                 [&](std::int64_t begin, std::int64_t end) {
                   plan.for_range(begin, end, [&](std::int64_t xo, std::int64_t yo) { copy_row(x + xo, y + yo, row); });
                 });
    return;
  }
  const Axis other = plan.take(across);
  constexpr std::int64_t n = tile<T>;
  const std::int64_t bands = (other.size + n - 1) / n;
  const std::int64_t grain = std::max<std::int64_t>(1, grain_elements / (n * row.size));
  parallel_for(plan.count() * bands, grain, [&](std::int64_t begin, std::int64_t end) {
    // Whole and partial runs of bands, one for each index of the outer axes.
    for (std::int64_t at = begin; at < end;) {
      const std::int64_t outer = at / bands, first = at % bands, last = std::min(bands, first + end - at);
      plan.for_range(outer, outer + 1, [&](std::int64_t xo, std::int64_t yo) {
        for (std::int64_t b = first; b < last; ++b)
          transpose_band(x + xo, y + yo, other, row, b * n, std::min(other.size, (b + 1) * n));
      });
      at += last - first;
    }
  });
}

// Calls f with an unsigned integer of `width` bytes.
template <class F>
void visit_width(int width, F&& f) {
  if (width == 4)
    f(std::uint32_t{});
  else if (width == 8)
    f(std::uint64_t{});
  else
    f(std::uint8_t{});
}

void row_major(const std::int64_t* shape, int rank, std::int64_t* strides) {
  std::int64_t stride = 1;
  for (int a = rank - 1; a >= 0; --a) {
    strides[a] = stride;
    stride *= shape[a];
  }
}

const std::byte* moved(const void* x, std::int64_t elements, int width) {
  return static_cast<const std::byte*>(x) + elements * width;
}
std::byte* moved(void* y, std::int64_t elements, int width) { return static_cast<std::byte*>(y) + elements * width; }

}  // namespace

void copy_strided(const void* x, const std::int64_t* x_strides, void* y, const std::int64_t* y_strides,
                  const std::int64_t* shape, int rank, int width) {
  if (std::find(shape, shape + rank, 0) != shape + rank) return;
  visit_width(width, [&](auto zero) {
    using T = decltype(zero);
    copy_plan(static_cast<const T*>(x), static_cast<T*>(y), Plan(shape, x_strides, y_strides, rank));
  });
}

void permute(const void* x, void* y, const std::int64_t* shape, const int* order, int rank, int width) {
  std::int64_t x_strides[max_copy_rank], y_strides[max_copy_rank], stride = 1;
  row_major(shape, rank, x_strides);
  for (int a = rank - 1; a >= 0; --a) {
    y_strides[order[a]] = stride;
    stride *= shape[order[a]];
  }
  copy_strided(x, x_strides, y, y_strides, shape, rank, width);
}

void broadcast_copy(const void* x, const std::int64_t* x_shape, void* y, const std::int64_t* shape, int rank,
                    int width) {
  std::int64_t x_strides[max_copy_rank], y_strides[max_copy_rank];
  row_major(x_shape, rank, x_strides);
  row_major(shape, rank, y_strides);
  for (int a = 0; a < rank; ++a)
    if (x_shape[a] == 1) x_strides[a] = 0;
  copy_strided(x, x_strides, y, y_strides, shape, rank, width);
}

void flip(const void* x, void* y, const std::int64_t* shape, const bool* reversed, int rank, int width) {
  std::int64_t x_strides[max_copy_rank], y_strides[max_copy_rank], start = 0;
  row_major(shape, rank, x_strides);
  row_major(shape, rank, y_strides);
  for (int a = 0; a < rank; ++a) {
    if (!reversed[a] || shape[a] == 0) continue;
    start += (shape[a] - 1) * x_strides[a];
    x_strides[a] = -x_strides[a];
  }
  copy_strided(moved(x, start, width), x_strides, y, y_strides, shape, rank, width);
}

void pad_constant(const void* x, const std::int64_t* x_shape, void* y, const std::int64_t* y_shape,
                  const std::int64_t* before, const void* value, int rank, int width) {
  std::int64_t x_strides[max_copy_rank], y_strides[max_copy_rank], total = 1, start = 0;
  row_major(x_shape, rank, x_strides);
  row_major(y_shape, rank, y_strides);
  for (int a = 0; a < rank; ++a) {
    total *= y_shape[a];
    start += before[a] * y_strides[a];
  }
  visit_width(width, [&](auto zero) {
    using T = decltype(zero);
    T filler;
    std::memcpy(&filler, value, sizeof filler);
    parallel_for(total, bytes_per_thread / static_cast<std::int64_t>(sizeof(T)),
                 [&](std::int64_t begin, std::int64_t end) {
                   std::fill(static_cast<T*>(y) + begin, static_cast<T*>(y) + end, filler);
                 });
  });
  copy_strided(x, x_strides, moved(y, start, width), y_strides, x_shape, rank, width);
}

void slice_copy(const void* x, Collapsed x_shape, void* y, std::int64_t start, std::int64_t step, std::int64_t count,
                int width) {
  const std::int64_t shape[] = {x_shape.outer, count, x_shape.inner};
  const std::int64_t x_strides[] = {x_shape.axis * x_shape.inner, step * x_shape.inner, 1};
  const std::int64_t y_strides[] = {count * x_shape.inner, x_shape.inner, 1};
  copy_strided(moved(x, start * x_shape.inner, width), x_strides, y, y_strides, shape, 3, width);
}

void slice_scatter(const void* x, void* y, Collapsed y_shape, std::int64_t start, std::int64_t step, std::int64_t count,
                   int width) {
  const std::int64_t shape[] = {y_shape.outer, count, y_shape.inner};
  const std::int64_t x_strides[] = {count * y_shape.inner, y_shape.inner, 1};
  const std::int64_t y_strides[] = {y_shape.axis * y_shape.inner, step * y_shape.inner, 1};
  std::memset(y, 0, static_cast<std::size_t>(y_shape.size() * width));
  copy_strided(x, x_strides, moved(y, start * y_shape.inner, width), y_strides, shape, 3, width);
}

void concat(const void* const* parts, const std::int64_t* axes, int count, void* y, std::int64_t outer,
            std::int64_t inner, int width) {
  std::int64_t all = 0;
  for (int k = 0; k < count; ++k) all += axes[k];
  if (all * inner == 0) return;
  parallel_for(outer, std::max<std::int64_t>(1, bytes_per_thread / (all * inner * width)),
               [&](std::int64_t begin, std::int64_t end) {
                 std::byte* to = moved(y, begin * all * inner, width);
                 for (std::int64_t o = begin; o < end; ++o)
                   for (int k = 0; k < count; ++k) {
                     const std::int64_t block = axes[k] * inner;
                     if (block > 0)
                       std::memcpy(to, moved(parts[k], o * block, width), static_cast<std::size_t>(block * width));
                     to += block * width;
                   }
               });
}

void split(const void* x, void* const* parts, const std::int64_t* axes, int count, std::int64_t outer,
           std::int64_t inner, int width) {
  std::int64_t all = 0;
  for (int k = 0; k < count; ++k) all += axes[k];
  if (all * inner == 0) return;
  parallel_for(outer, std::max<std::int64_t>(1, bytes_per_thread / (all * inner * width)),
               [&](std::int64_t begin, std::int64_t end) {
                 const std::byte* from = moved(x, begin * all * inner, width);
                 for (std::int64_t o = begin; o < end; ++o)
                   for (int k = 0; k < count; ++k) {
                     const std::int64_t block = axes[k] * inner;
                     if (parts[k] != nullptr && block > 0)
                       std::memcpy(moved(parts[k], o * block, width), from, static_cast<std::size_t>(block * width));
                     from += block * width;
                   }
               });
}

void roll(const void* x, void* y, Collapsed shape, std::int64_t shift, int width) {
  if (shape.size() == 0) return;
  const std::int64_t front = (shift % shape.axis + shape.axis) % shape.axis;  // what wraps round to the start
  const std::int64_t whole = shape.axis * shape.inner, kept = (shape.axis - front) * shape.inner;
  for (std::int64_t o = 0; o < shape.outer; ++o) {
    const std::byte* from = moved(x, o * whole, width);
    std::byte* to = moved(y, o * whole, width);
    std::memcpy(moved(to, whole - kept, width), from, static_cast<std::size_t>(kept * width));
    std::memcpy(to, moved(from, kept, width), static_cast<std::size_t>((whole - kept) * width));
  }
}

}  // namespace weft::detail

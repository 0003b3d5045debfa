#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/copy/copy.hpp>
#include <weft/ops/kernels/copy/copy_block.hpp>
#include <weft/ops/kernels/loops/strided.hpp>
#include <weft/ops/kernels/simd/stream.hpp>

#include <algorithm>
#include <cstddef>

namespace weft::detail {

namespace {

// Side of the blocks of a transposition: few enough lines for the TLB, long enough for the prefetcher.
constexpr std::int64_t block_side = 64;

// The operands of a copy's loops.
constexpr std::size_t source = 0, target = 1;

// As many elements of f32 as bytes make, for grain_for().
std::int64_t cost_of(std::int64_t bytes) { return bytes / 4; }

template <class Word>
void copy_line(const Word* x, Word* y, Loop<2> line, bool streamed) {
  const std::int64_t from = line.step[source], to = line.step[target];
  if (from == 1 && to == 1) {
    copy_block(y, x, line.size * static_cast<std::int64_t>(sizeof(Word)), streamed);
  } else if (from == 0 && to == 1) {
    std::fill_n(y, line.size, *x);
  } else if (from == -1 && to == 1) {
    std::reverse_copy(x - line.size + 1, x + 1, y);
  } else if (to == 1) {
    for (std::int64_t i = 0; i < line.size; ++i) y[i] = x[i * from];
  } else {  // four at a time: a load after a store that may go anywhere waits for it
    std::int64_t i = 0;
    for (; i + 4 <= line.size; i += 4, x += 4 * from, y += 4 * to) {
      const Word words[] = {x[0], x[from], x[2 * from], x[3 * from]};
      for (int k = 0; k < 4; ++k) y[k * to] = words[k];
    }
    for (; i < line.size; ++i, x += from, y += to) *y = *x;
  }
}

// What is a line in x is a column in y: x runs along `rows`, y along `columns`, with steps of 1.
template <class Word>
void transpose_block(const Word* x, Word* y, Loop<2> rows, Loop<2> columns) {
  constexpr std::int64_t n = tile_side<Word>;
  const std::int64_t x_stride = columns.step[source], y_stride = rows.step[target];
  std::int64_t r = 0;
  for (; r + n <= rows.size; r += n) {
    std::int64_t c = 0;
    for (; c + n <= columns.size; c += n)
      transpose_tile(x + r + c * x_stride, x_stride, y + r * y_stride + c, y_stride);
    for (std::int64_t i = r; i < r + n; ++i)
      for (std::int64_t j = c; j < columns.size; ++j) y[i * y_stride + j] = x[i + j * x_stride];
  }
  for (; r < rows.size; ++r)
    for (std::int64_t c = 0; c < columns.size; ++c) y[r * y_stride + c] = x[r + c * x_stride];
}

template <class Word>
void transpose(const Word* x, Word* y, Loop<2> rows, Loop<2> columns) {
  const std::int64_t strips = (rows.size + block_side - 1) / block_side;
  const std::int64_t cost = cost_of(block_side * columns.size * static_cast<std::int64_t>(sizeof(Word)));
  parallel_for(strips, grain_for(cost), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin * block_side; r < std::min(end * block_side, rows.size); r += block_side)
      for (std::int64_t c = 0; c < columns.size; c += block_side)
        transpose_block(x + r + c * columns.step[source], y + r * rows.step[target] + c,
                        {std::min(block_side, rows.size - r), rows.step},
                        {std::min(block_side, columns.size - c), columns.step});
  });
}

// A run of lines. Where they are short, the run is copied element by element of the lines: what is then a line is long.
template <class Word>
void copy_lines(const Word* x, Word* y, Loop<2> line, Loop<2> run, bool streamed) {
  constexpr std::int64_t block = 256;  // stays in the first cache between the elements
  if (line.size * static_cast<std::int64_t>(sizeof(Word)) >= 16 || run.size < line.size) {
    for (std::int64_t r = 0; r < run.size; ++r)
      copy_line(x + r * run.step[source], y + r * run.step[target], line, streamed);
    return;
  }
  for (std::int64_t r = 0; r < run.size; r += block)
    for (std::int64_t i = 0; i < line.size; ++i)
      copy_line(x + r * run.step[source] + i * line.step[source], y + r * run.step[target] + i * line.step[target],
                {std::min(block, run.size - r), run.step}, streamed);
}

// Calls body(x, y, run) for runs along the innermost of the outer loops; `each` bytes are moved at one position.
template <class Word, class F>
void for_each_run(const Word* x, Word* y, const StridedLoops<2>& outer, std::int64_t each, F&& body) {
  parallel_for(outer.count(), grain_for(cost_of(each)), [&](std::int64_t begin, std::int64_t end) {
    outer.for_each_run(begin, end, [&](std::int64_t, const std::int64_t* at, const Loop<2>& run) {
      body(x + at[source], y + at[target], run);
    });
  });
}

template <class Word>
void copy_words(const Word* x, Word* y, StridedLoops<2>& loops) {
  const auto size = static_cast<std::int64_t>(sizeof(Word));
  if (loops.count() == 0) return;
  const bool streamed = is_streamed(2 * loops.count() * size);
  const Loop<2> line = loops.rank() > 0 ? loops.take(0) : Loop<2>{1, {1, 1}};
  if (loops.rank() == 0) {  // a single line is cut, so that threads can share it
    parallel_for(line.size, 4 * grain_for(size), [=](std::int64_t begin, std::int64_t end) {
      copy_line(x + begin * line.step[source], y + begin * line.step[target], {end - begin, line.step}, streamed);
      if (streamed) end_of_stream();
    });
    return;
  }
  int crossing = -1;
  if (line.step[target] == 1 && line.step[source] != 1 && line.step[source] != 0)
    for (int a = loops.rank() - 1; a >= 0; --a)
      if (loops[a].step[source] == 1) crossing = a;
  if (crossing < 0) {
    for_each_run(x, y, loops, line.size * size, [=](const Word* from, Word* to, const Loop<2>& run) {
      copy_lines(from, to, line, run, streamed);
      if (streamed) end_of_stream();
    });
    return;
  }
  const Loop<2> rows = loops.take(crossing);
  for_each_run(x, y, loops, rows.size * line.size * size, [=](const Word* from, Word* to, const Loop<2>& run) {
    for (std::int64_t r = 0; r < run.size; ++r)
      transpose(from + r * run.step[source], to + r * run.step[target], rows, line);
  });
}

// Row-major strides of a shape, in elements.
struct Strides {
  std::int64_t of[max_rank];

  Strides(const std::int64_t* shape, int rank) {
    std::int64_t stride = 1;
    for (int a = rank - 1; a >= 0; --a) {
      of[a] = stride;
      stride *= shape[a];
    }
  }
};

const char* at(const void* p, std::int64_t elements, int width) {
  return static_cast<const char*>(p) + elements * width;
}
char* at(void* p, std::int64_t elements, int width) { return static_cast<char*>(p) + elements * width; }

std::int64_t count(const std::int64_t* shape, int rank) {
  std::int64_t n = 1;
  for (int a = 0; a < rank; ++a) n *= shape[a];
  return n;
}

// Copies positions [0, part) of the axis of x, whose axis is x_axis long, to those of y.
void copy_part(const void* x, std::int64_t x_axis, void* y, std::int64_t y_axis, std::int64_t outer, std::int64_t part,
               std::int64_t inner, int width) {
  const std::int64_t shape[] = {outer, part * inner};
  const std::int64_t from[] = {x_axis * inner, 1}, to[] = {y_axis * inner, 1};
  copy_strided(x, from, y, to, shape, 2, width);
}

}  // namespace

void copy_strided(const void* x, const std::int64_t* x_strides, void* y, const std::int64_t* y_strides,
                  const std::int64_t* shape, int rank, int width) {
  StridedLoops<2> loops;
  for (int a = rank - 1; a >= 0; --a) loops.add_outer({shape[a], {x_strides[a], y_strides[a]}});
  if (width == 1) {
    copy_words(static_cast<const std::uint8_t*>(x), static_cast<std::uint8_t*>(y), loops);
  } else if (width == 4) {
    copy_words(static_cast<const std::uint32_t*>(x), static_cast<std::uint32_t*>(y), loops);
  } else {
    copy_words(static_cast<const std::uint64_t*>(x), static_cast<std::uint64_t*>(y), loops);
  }
}

void permute(const void* x, void* y, const std::int64_t* shape, const int* order, int rank, int width) {
  const Strides x_strides(shape, rank);
  std::int64_t y_shape[max_rank], from[max_rank];
  for (int a = 0; a < rank; ++a) {
    y_shape[a] = shape[order[a]];
    from[a] = x_strides.of[order[a]];
  }
  copy_strided(x, from, y, Strides(y_shape, rank).of, y_shape, rank, width);
}

void broadcast_copy(const void* x, const std::int64_t* x_shape, void* y, const std::int64_t* shape, int rank,
                    int width) {
  Strides from(x_shape, rank);
  for (int a = 0; a < rank; ++a)
    if (x_shape[a] == 1) from.of[a] = 0;
  copy_strided(x, from.of, y, Strides(shape, rank).of, shape, rank, width);
}

void flip(const void* x, void* y, const std::int64_t* shape, const bool* reversed, int rank, int width) {
  if (count(shape, rank) == 0) return;
  const Strides to(shape, rank);
  Strides from = to;
  std::int64_t start = 0;
  for (int a = 0; a < rank; ++a) {
    if (!reversed[a]) continue;
    start += (shape[a] - 1) * to.of[a];
    from.of[a] = -to.of[a];
  }
  copy_strided(at(x, start, width), from.of, y, to.of, shape, rank, width);
}

void pad_constant(const void* x, const std::int64_t* x_shape, void* y, const std::int64_t* y_shape,
                  const std::int64_t* before, const void* value, int rank, int width) {
  if (rank == 0) {
    const std::int64_t one = 1, none = 0;
    return pad_constant(x, &one, y, &one, &none, value, 1, width);
  }
  // Line by line along the last axis that is padded, with all that is behind it, so that all is written once.
  int last = rank - 1;
  std::int64_t inner = 1;
  for (; last > 0 && x_shape[last] == y_shape[last]; --last) inner *= x_shape[last];
  const std::int64_t length = x_shape[last] * inner, whole = y_shape[last] * inner, start = before[last] * inner;
  const auto words = [=](auto word) {
    using Word = decltype(word);
    const Word filler = *static_cast<const Word*>(value);
    parallel_for(count(y_shape, last), grain_for(cost_of(whole * width)), [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        Word* const to = static_cast<Word*>(y) + r * whole;
        std::int64_t from = 0, rest = r, step = 1;
        bool inside = true;
        for (int a = last; a-- > 0; rest /= y_shape[a], step *= x_shape[a]) {
          const std::int64_t index = rest % y_shape[a] - before[a];
          inside = inside && index >= 0 && index < x_shape[a];
          from += index * step;
        }
        if (!inside) {
          std::fill_n(to, whole, filler);
          continue;
        }
        std::fill_n(to, start, filler);
        copy_block(to + start, static_cast<const Word*>(x) + from * length, length * width);
        std::fill_n(to + start + length, whole - start - length, filler);
      }
    });
  };
  if (width == 1) return words(std::uint8_t{});
  if (width == 4) return words(std::uint32_t{});
  words(std::uint64_t{});
}

void slice_copy(const void* x, Collapsed x_shape, void* y, std::int64_t start, std::int64_t step, std::int64_t count,
                int width) {
  const std::int64_t inner = x_shape.inner;
  const std::int64_t shape[] = {x_shape.outer, count, inner};
  const std::int64_t from[] = {x_shape.axis * inner, step * inner, 1}, to[] = {count * inner, inner, 1};
  copy_strided(at(x, start * inner, width), from, y, to, shape, 3, width);
}

void slice_scatter(const void* x, void* y, Collapsed y_shape, std::int64_t start, std::int64_t step, std::int64_t count,
                   int width) {
  const std::int64_t inner = y_shape.inner, row = inner * width;
  // Stretches of the axis that stay in the first cache between their zeros and their values.
  const std::int64_t stretch = std::max<std::int64_t>((1 << 14) / std::max<std::int64_t>(row, 1), 1);
  const std::int64_t stretches = (y_shape.axis + stretch - 1) / stretch;
  parallel_for(y_shape.outer * stretches, grain_for(cost_of(stretch * row)), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t o = k / stretches, first = k % stretches * stretch;
      const std::int64_t last = std::min(first + stretch, y_shape.axis);
      char* const to = at(y, (o * y_shape.axis + first) * inner, width);
      // Which of x fall into it.
      const auto place = [=](std::int64_t position) {
        return std::clamp<std::int64_t>((position - start + step - 1) / step, 0, count);
      };
      const std::int64_t from = first > start ? place(first) : 0, until = last > start ? place(last) : 0;
      const char* const values = at(x, (o * count + from) * inner, width);
      const std::int64_t before = (start + from * step - first) * row, bytes = (last - first) * row;
      if (step == 1 && until > from) {  // one piece between zeros
        const std::int64_t copied = (until - from) * row;
        std::fill_n(to, before, '\0');
        copy_block(to + before, values, copied);
        std::fill_n(to + before + copied, bytes - before - copied, '\0');
        continue;
      }
      std::fill_n(to, bytes, '\0');
      const std::int64_t shape[] = {until - from, inner}, x_strides[] = {inner, 1}, y_strides[] = {step * inner, 1};
      copy_strided(values, x_strides, to + before, y_strides, shape, 2, width);
    }
  });
}

void concat(const void* const* parts, const std::int64_t* axes, int count, void* y, std::int64_t outer,
            std::int64_t inner, int width) {
  std::int64_t axis = 0;
  for (int k = 0; k < count; ++k) axis += axes[k];
  if (outer == 1) {  // whole buffers, each cut for the threads
    std::int64_t start = 0;
    for (int k = 0; k < count; start += axes[k++])
      if (axes[k] > 0) copy_part(parts[k], axes[k], at(y, start * inner, width), axis, 1, axes[k], inner, width);
    return;
  }
  const std::int64_t row = axis * inner * width;
  const bool streamed = is_streamed(2 * outer * row);
  // Row by row, so that the result is written from front to back.
  parallel_for(outer, grain_for(cost_of(row)), [=](std::int64_t begin, std::int64_t end) {
    auto* to = static_cast<std::byte*>(y) + begin * row;
    for (std::int64_t o = begin; o < end; ++o)
      for (int k = 0; k < count; ++k) {
        const std::int64_t bytes = axes[k] * inner * width;
        copy_block(to, static_cast<const std::byte*>(parts[k]) + o * bytes, bytes, streamed);
        to += bytes;
      }
    if (streamed) end_of_stream();
  });
}

void split(const void* x, void* const* parts, const std::int64_t* axes, int count, std::int64_t outer,
           std::int64_t inner, int width) {
  std::int64_t axis = 0, start = 0;
  for (int k = 0; k < count; ++k) axis += axes[k];
  for (int k = 0; k < count; start += axes[k++])
    if (parts[k] != nullptr && axes[k] > 0)
      copy_part(at(x, start * inner, width), axis, parts[k], axes[k], outer, axes[k], inner, width);
}

void roll(const void* x, void* y, Collapsed shape, std::int64_t shift, int width) {
  if (shape.size() == 0) return;
  const std::int64_t n = shape.axis, to = shift < 0 ? shift + n : shift;
  copy_part(x, n, at(y, to * shape.inner, width), n, shape.outer, n - to, shape.inner, width);
  if (to > 0) copy_part(at(x, (n - to) * shape.inner, width), n, y, n, shape.outer, to, shape.inner, width);
}

}  // namespace weft::detail

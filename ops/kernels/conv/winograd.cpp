// Convolutions with 3x3 kernels and stride 1 by F(4x4, 3x3): a quarter of the multiplications. Tiles of 6x6 inputs
// become 36 points each; at every point the convolution is a product of the tiles' channels with the weights'. A block
// of tiles stays in the second-level cache from its input to its output.
#include <algorithm>

#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/conv/winograd_transform.hpp>
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

namespace weft::detail {

namespace {

constexpr std::int64_t points = 36, out_side = 4;

// One operand of the pass: images {n, h, w, channels}.
template <class T>
struct Images {
  T* data;
  std::int64_t h, w, channels;

  T* pixel(std::int64_t image, std::int64_t y, std::int64_t x) const {
    return data + ((image * h + y) * w + x) * channels;
  }
};

// The tiles of all images, row by row.
struct Tiles {
  std::int64_t rows, columns, count;

  Tiles(std::int64_t n, std::int64_t oh, std::int64_t ow)
      : rows((oh + out_side - 1) / out_side), columns((ow + out_side - 1) / out_side), count(n * rows * columns) {}
  struct At {
    std::int64_t image, y, x;  // of its first output
  };
  At operator[](std::int64_t i) const {
    return {i / (rows * columns), i / columns % rows * out_side, i % columns * out_side};
  }
};

// Where the 36 planes of a block lie: apart by more than whole pages, or they fall into the same sets of the cache.
template <class T>
std::int64_t plane_size(std::int64_t tiles, std::int64_t channels) {
  const std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  return (tiles * channels + line - 1) / line * line + line;
}

// A square of pixels, as many a side as it has, that may reach over the image's edge, where there are zeros.
template <std::int64_t side, class T>
class SquareOfPixels {
 public:
  SquareOfPixels(const Images<const T>& from, std::int64_t image, std::int64_t y, std::int64_t x, const T* zeros)
      : inside_(y >= 0 && x >= 0 && y + side <= from.h && x + side <= from.w),
        first_(from.pixel(image, y, x)),
        row_(from.w * from.channels),
        channels_(from.channels) {
    if (inside_) return;
    for (std::int64_t row = 0; row < side; ++row)
      for (std::int64_t column = 0; column < side; ++column) {
        const std::int64_t at_y = y + row, at_x = x + column;
        const bool exists = at_y >= 0 && at_y < from.h && at_x >= 0 && at_x < from.w;
        pixels_[row][column] = exists ? from.pixel(image, at_y, at_x) : zeros;
      }
  }

  // Calls f(vector, load) for the vectors of channels, where load(row, column) is one of the square.
  template <class F>
  void for_channels(const F& f) const {
    if (inside_)
      for_vectors<T>(channels_, [&](auto v) {
        f(v,
          [&, v](std::int64_t row, std::int64_t column) { return v.load(first_ + row * row_ + column * channels_); });
      });
    else
      for_vectors<T>(channels_, [&](auto v) {
        f(v, [&, v](std::int64_t row, std::int64_t column) { return v.load(pixels_[row][column]); });
      });
  }

 private:
  bool inside_;
  const T* first_;
  std::int64_t row_, channels_;
  const T* pixels_[side][side];
};

// Points of tiles [first, first + count) into planes {count, channels}: of squares that begin `pad` before the tile's
// first output.
template <std::int64_t side, class T, class F>
void to_points(const Images<const T>& from, const Tiles& tiles, std::int64_t first, std::int64_t count,
               std::int64_t pad_h, std::int64_t pad_w, const T* zeros, const F& f, T* planes, std::int64_t plane) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto [image, y, x] = tiles[first + i];
    T* const to = planes + i * from.channels;
    SquareOfPixels<side, T>(from, image, y - pad_h, x - pad_w, zeros).for_channels([&](auto v, const auto& load) {
      along_both<side, 6, Vector<T>>(load, f, [&](std::int64_t row, std::int64_t column, const Vector<T>& point) {
        v.store(to + (row * 6 + column) * plane, point);
      });
    });
  }
}

// The other way, of channels [begin, begin + channels), which the planes have alone.
template <class T>
void from_points(const T* planes, std::int64_t plane, const Tiles& tiles, std::int64_t first, std::int64_t count,
                 const Images<T>& to, std::int64_t begin, std::int64_t channels, std::int64_t width) {
  const std::int64_t row_step = to.w * to.channels, column_step = to.channels;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto [image, y, x] = tiles[first + i];
    const T* const from = planes + i * width;
    T* const pixel = to.pixel(image, y, x) + begin;
    const std::int64_t rows = std::min(out_side, to.h - y), columns = std::min(out_side, to.w - x);
    for_vectors<T>(channels, [&](auto v) {
      const auto load = [&](std::int64_t row, std::int64_t column) {
        return v.load(from + (row * 6 + column) * plane);
      };
      const auto f = [](const auto& line) { return outputs(line); };
      if (rows == out_side && columns == out_side)
        along_both<6, 4, Vector<T>>(load, f, [&](std::int64_t row, std::int64_t column, const Vector<T>& value) {
          v.store(pixel + row * row_step + column * column_step, value);
        });
      else
        along_both<6, 4, Vector<T>>(load, f, [&](std::int64_t row, std::int64_t column, const Vector<T>& value) {
          if (row < rows && column < columns) v.store(pixel + row * row_step + column * column_step, value);
        });
    });
  }
}

// The weights' points, for each of them a matrix {in, out} in columns of tiles as run_row_tile reads it. w is {3, 3,
// in, out}, or, turned, {3, 3, out, in} with its taps in reverse.
template <class T>
class PackedPoints {
 public:
  PackedPoints(const T* w, std::int64_t in, std::int64_t out, bool turned)
      : in_(in), out_(out), vectors_((out + lanes<T> - 1) / lanes<T>), packed_(points * plane()) {
    const Scratch<T> swapped(turned ? 9 * in * out : 0);
    if (turned) turn(w, swapped.data());
    const T* const from = turned ? swapped.data() : w;
    for (std::int64_t vector = 0; vector < vectors_; vector += tile_vectors(vectors_ - vector)) {
      const std::int64_t v = tile_vectors(vectors_ - vector);
      parallel_for(in, grain_for(40 * v * lanes<T>), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c)
          for (std::int64_t i = 0; i < v; ++i) transform(from, c, vector + i, column(vector) + (c * v + i) * lanes<T>);
      });
    }
  }

  std::int64_t vectors() const { return vectors_; }
  /// From one point to the next.
  std::int64_t plane() const { return plane_size<T>(in_, vectors_ * lanes<T>); }
  /// The weights of the first point for outputs from a vector on.
  T* column(std::int64_t vector) const { return packed_.data() + vector * in_ * lanes<T>; }

 private:
  void turn(const T* w, T* to) const {
    for (std::int64_t tap = 0; tap < 9; ++tap) {
      const T* const from = w + (8 - tap) * in_ * out_;
      for (std::int64_t c = 0; c < in_; ++c)
        for (std::int64_t o = 0; o < out_; ++o) to[(tap * in_ + c) * out_ + o] = from[o * in_ + c];
    }
  }
  void transform(const T* w, std::int64_t c, std::int64_t vector, T* to) const {
    const std::int64_t o = vector * lanes<T>;
    const FirstLanes<T> part(std::min(lanes<T>, out_ - o));
    along_both<3, 6, Vector<T>>(
        [&](std::int64_t row, std::int64_t column) { return part.load(w + ((row * 3 + column) * in_ + c) * out_ + o); },
        [](const auto& line) { return weight_points(line); },
        [&](std::int64_t row, std::int64_t column, const Vector<T>& point) {
          point.store_unaligned(to + (row * 6 + column) * plane());
        });
  }

  std::int64_t in_, out_, vectors_;
  Scratch<T> packed_;
};

// At each point {count, in} times v vectors of columns of {in, out}.
template <class T>
void multiply(const PackedPoints<T>& weights, std::int64_t vector, std::int64_t v, const T* x, std::int64_t x_plane,
              std::int64_t in, std::int64_t count, T* y, std::int64_t y_plane) {
  const std::int64_t width = v * lanes<T>;
  RowTile<T> tile{.x_step = in,
                  .outer = 1,
                  .inner = 1,
                  .length = in,
                  .b = weights.column(vector),
                  .b_step = width,
                  .c_step = width,
                  .last_lanes = lanes<T>,
                  .repeats = points,
                  .x_repeat = x_plane,
                  .b_repeat = weights.plane(),
                  .c_repeat = y_plane};
  for (std::int64_t row = 0; row < count;) {
    const std::int64_t rows = even_part(count, max_rows(static_cast<int>(v)), row);
    tile.x = x + row * in;
    tile.c = y + row * width;
    run_row_tile(rows, v, tile);
    row += rows;
  }
}

// How many tiles make a block: the points of their inputs fill half of the second-level cache, and the tiles of the
// product are high.
template <class T>
std::int64_t tiles_in_block(std::int64_t channels) {
  const std::int64_t bytes = points * channels * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t high = max_rows(2);
  return std::clamp<std::int64_t>((std::int64_t{512} << 10) / bytes / high, 1, 8) * high;
}

// The same for the gradient of the weights, whose sums at all points are read and written once a block: larger, so that
// this costs little and a block is worth several threads.
template <class T>
std::int64_t tiles_in_sum(std::int64_t in, std::int64_t out) {
  const std::int64_t bytes = points * (in + out) * static_cast<std::int64_t>(sizeof(T));
  return std::clamp<std::int64_t>((std::int64_t{4} << 20) / bytes, 64, 512);
}

// y = x * w of a convolution with kernel 3x3 and stride 1, or the gradient of its input, which is one too.
template <class T>
void winograd(const Images<const T>& x, std::int64_t n, std::int64_t pad_h, std::int64_t pad_w, const T* w, bool turned,
              const Images<T>& y) {
  const Tiles tiles(n, y.h, y.w);
  const PackedPoints<T> weights(w, x.channels, y.channels, turned);
  const std::int64_t block = std::min(tiles_in_block<T>(x.channels), std::max<std::int64_t>(tiles.count, 1));
  const std::int64_t blocks = (tiles.count + block - 1) / block;
  const std::int64_t in_plane = plane_size<T>(block, x.channels);
  const std::int64_t out_plane = plane_size<T>(block, max_vectors * lanes<T>);
  const double flops = 2.0 * static_cast<double>(points * tiles.count * x.channels) * static_cast<double>(y.channels);
  const std::int64_t parts = conv_parts(blocks, flops);
  const std::int64_t each = points * (in_plane + out_plane);
  const Scratch<T> memory(parts * each + x.channels);
  T* const zeros = memory.data() + parts * each;
  std::fill_n(zeros, x.channels, T{0});
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    T *const in = memory.data() + part * each, *const out = in + points * in_plane;
    for (std::int64_t b = blocks * part / parts; b < blocks * last_part / parts; ++b) {
      const std::int64_t first = b * block, count = std::min(block, tiles.count - first);
      to_points<6>(
          x, tiles, first, count, pad_h, pad_w, zeros, [](const auto& line) { return input_points(line); }, in,
          in_plane);
      for (std::int64_t vector = 0; vector < weights.vectors();) {
        const std::int64_t v = tile_vectors(weights.vectors() - vector), begin = vector * lanes<T>;
        multiply(weights, vector, v, in, in_plane, x.channels, count, out, out_plane);
        from_points(out, out_plane, tiles, first, count, y, begin, std::min(v * lanes<T>, y.channels - begin),
                    v * lanes<T>);
        vector += v;
      }
    }
  });
}

// The sums over tiles of the products of both operands' points, {in, out} at each point; `adds` to what is there.
template <class T>
void add_products(const T* x, std::int64_t x_plane, std::int64_t in, const T* gy, std::int64_t gy_plane,
                  std::int64_t out, std::int64_t count, bool adds, T* sums, std::int64_t sum_plane) {
  const std::int64_t vectors = (out + lanes<T> - 1) / lanes<T>;
  parallel_for(points, grain_for(count * in * vectors), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p)
      for (std::int64_t vector = 0; vector < vectors;) {
        const std::int64_t v = tile_vectors(vectors - vector);
        OuterTile<T> tile{.images = 1,
                          .rows = 1,
                          .columns = count,
                          .a_step = in,
                          .b = gy + p * gy_plane + vector * lanes<T>,
                          .b_step = out,
                          .c_step = out,
                          .last_lanes = std::min(lanes<T>, out - (vector + v - 1) * lanes<T>),
                          .adds = adds};
        for (std::int64_t row = 0; row < in;) {
          const std::int64_t rows = even_part(in, max_rows(static_cast<int>(v)), row);
          tile.a = x + p * x_plane + row;
          tile.c = sums + p * sum_plane + row * out + vector * lanes<T>;
          run_outer_tile(rows, v, tile);
          row += rows;
        }
        vector += v;
      }
  });
}

}  // namespace

bool suits_winograd(const ConvShape& s) {
  const bool has_form = s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dil_h == 1 && s.dil_w == 1 &&
                        s.groups == 1 && std::max(s.pad_h, s.pad_w) <= 2 && std::min(s.cin, s.cout) >= 8;
  if (!s.fast || !has_form) return false;
  // Work for each pair of channels, in multiply-adds of the product: a transform of a tile's vector of inputs takes as
  // long as 500, of outputs as 300, and a weight's 36 points as 400 from the second-level cache, 1,500 from the third
  // and more from memory (docs/decisions.md).
  const Tiles tiles(s.n, s.oh, s.ow);
  const double weight_bytes = 36.0 * 4 * static_cast<double>(s.cin) * static_cast<double>(s.cout);
  const double weight_work = weight_bytes < 1e6 ? 400 : weight_bytes < 1.6e7 ? 1500 : 6000;
  const double a_tile = 36 + 500 / static_cast<double>(s.cout) + 300 / static_cast<double>(s.cin);
  return static_cast<double>(tiles.count) * a_tile + weight_work < 0.9 * 9 * static_cast<double>(s.n * s.oh * s.ow);
}

void winograd_forward(const ConvShape& s, const float* x, const float* w, float* y) {
  winograd<float>({x, s.h, s.w, s.cin}, s.n, s.pad_h, s.pad_w, w, false, {y, s.oh, s.ow, s.cout});
}

void winograd_backward_input(const ConvShape& s, const float* gy, const float* w, float* gx) {
  winograd<float>({gy, s.oh, s.ow, s.cout}, s.n, 2 - s.pad_h, 2 - s.pad_w, w, true, {gx, s.h, s.w, s.cin});
}

void winograd_backward_weight(const ConvShape& s, const float* x, const float* gy, float* gw) {
  using T = float;
  const Images<const T> from{x, s.h, s.w, s.cin}, of{gy, s.oh, s.ow, s.cout};
  const Tiles tiles(s.n, s.oh, s.ow);
  const std::int64_t block = std::min(tiles_in_sum<T>(s.cin, s.cout), tiles.count);
  const std::int64_t x_plane = plane_size<T>(block, s.cin), gy_plane = plane_size<T>(block, s.cout);
  const std::int64_t sum_plane = plane_size<T>(s.cin, s.cout);
  const Scratch<T> memory(points * (x_plane + gy_plane + sum_plane) + std::max(s.cin, s.cout));
  T *const x_points = memory.data(), *const gy_points = x_points + points * x_plane;
  T *const sums = gy_points + points * gy_plane, *const zeros = sums + points * sum_plane;
  std::fill_n(zeros, std::max(s.cin, s.cout), T{0});
  for (std::int64_t first = 0; first < tiles.count; first += block) {
    const std::int64_t count = std::min(block, tiles.count - first);
    parallel_for(count, grain_for(10 * (s.cin + s.cout)), [&](std::int64_t begin, std::int64_t end) {
      to_points<6>(
          from, tiles, first + begin, end - begin, s.pad_h, s.pad_w, zeros,
          [](const auto& line) { return input_points(line); }, x_points + begin * s.cin, x_plane);
      to_points<4>(
          of, tiles, first + begin, end - begin, 0, 0, zeros, [](const auto& line) { return output_points(line); },
          gy_points + begin * s.cout, gy_plane);
    });
    add_products(x_points, x_plane, s.cin, gy_points, gy_plane, s.cout, count, first > 0, sums, sum_plane);
  }
  parallel_for(s.cin, grain_for(40 * s.cout), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      for_vectors<T>(s.cout, [&](auto v) {
        along_both<6, 3, Vector<T>>(
            [&](std::int64_t row, std::int64_t column) {
              return v.load(sums + (row * 6 + column) * sum_plane + c * s.cout);
            },
            [](const auto& line) { return weights(line); },
            [&](std::int64_t row, std::int64_t column, const Vector<T>& value) {
              v.store(gw + ((row * 3 + column) * s.cin + c) * s.cout, value);
            });
      });
  });
}

}  // namespace weft::detail

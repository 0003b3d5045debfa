#pragma once
// Tiles of images to planes of points and back, in winograd_transform.hpp's transforms.
#include <weft/ops/kernels/conv/winograd_transform.hpp>
#include <weft/ops/kernels/simd/rows.hpp>

#include <algorithm>
#include <type_traits>

namespace weft::detail {

inline constexpr std::int64_t points = 36, out_side = 4;

/// One operand of the pass: images {n, h, w, channels}.
template <class T>
struct Images {
  T* data;
  std::int64_t h, w, channels;

  T* pixel(std::int64_t image, std::int64_t y, std::int64_t x) const {
    return data + ((image * h + y) * w + x) * channels;
  }
};

/// The tiles of all images, row by row.
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

/// Where the 36 planes of a block lie: apart by more than whole pages, or they fall into the same sets of the cache.
template <class T>
std::int64_t plane_size(std::int64_t tiles, std::int64_t channels) {
  const std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  return (tiles * channels + line - 1) / line * line + line;
}

/// A run of neighbouring tiles, a group of channels at a time: its columns of pixels are transformed once, though the
/// squares of two neighbours share two of them. `side` pixels a side become 6 points. Of at most `most` tiles: the
/// fewer they are, the more channels make a group, and the longer are the pieces of memory.
template <std::int64_t side, std::int64_t most, class T>
class RunOfTiles {
 public:
  static constexpr std::int64_t group = (most == 1 ? 512 : 128) / static_cast<std::int64_t>(sizeof(T));

  /// Of squares whose first pixel is (y, x), which may lie outside, where there are zeros: a row of them.
  RunOfTiles(const Images<const T>& from, std::int64_t image, std::int64_t y, std::int64_t x, const T* zeros)
      : x_(x), width_(from.w), channels_(from.channels) {
    for (std::int64_t row = 0; row < side; ++row)
      rows_[row] = y + row >= 0 && y + row < from.h ? from.pixel(image, y + row, 0) : zeros;
  }

  template <class F>
  void to_points(std::int64_t tiles, const F& f, T* planes, std::int64_t plane) {
    for (std::int64_t begin = 0; begin < channels_; begin += group) {
      const std::int64_t count = std::min(group, channels_ - begin);
      for (std::int64_t column = 0; column < tiles * out_side + side - out_side; ++column)
        transform_column(column, begin, count, f);
      for (std::int64_t tile = 0; tile < tiles; ++tile)
        for (std::int64_t row = 0; row < 6; ++row)
          transform_row(half_ + (tile * out_side * 6 + row) * group, count, f,
                        planes + tile * channels_ + begin + row * 6 * plane, plane);
    }
  }

 private:
  template <class F>
  void transform_column(std::int64_t column, std::int64_t begin, std::int64_t count, const F& f) {
    T* const to = half_ + column * 6 * group;
    if (x_ + column < 0 || x_ + column >= width_) {
      std::fill_n(to, 6 * group, T{0});
      return;
    }
    const std::int64_t offset = (x_ + column) * channels_ + begin;
    for_vectors<T>(count, [&](auto v) {
      along<side, 6, Vector<T>>(
          [&](std::int64_t row) { return v.load(rows_[row] + offset); }, f,
          [&](std::int64_t row, const Vector<T>& value) { value.store_aligned(to + row * group + v.i); });
    });
  }
  template <class F>
  static void transform_row(const T* from, std::int64_t count, const F& f, T* to, std::int64_t plane) {
    for_vectors<T>(count, [&](auto v) {
      along<side, 6, Vector<T>>(
          [&](std::int64_t column) { return Vector<T>::load_aligned(from + column * 6 * group + v.i); }, f,
          [&](std::int64_t column, const Vector<T>& point) { v.store(to + column * plane, point); });
    });
  }

  const T* rows_[side];
  std::int64_t x_, width_, channels_;
  alignas(64) T half_[(most * out_side + side - out_side) * 6 * group];  // {column, row of points, channel}
};

/// Points of tiles [first, first + count) into planes {count, channels}: of squares that begin `pad` before the tile's
/// first output. zeros are as many as a row of pixels has.
template <std::int64_t side, class T, class F>
void to_points(const Images<const T>& from, const Tiles& tiles, std::int64_t first, std::int64_t count,
               std::int64_t pad_h, std::int64_t pad_w, const T* zeros, const F& f, T* planes, std::int64_t plane) {
  const auto in_runs = [&](auto most) {
    for (std::int64_t i = 0; i < count;) {
      const Tiles::At at = tiles[first + i];
      const std::int64_t run = std::min({most.value, tiles.columns - at.x / out_side, count - i});
      RunOfTiles<side, most.value, T>(from, at.image, at.y - pad_h, at.x - pad_w, zeros)
          .to_points(run, f, planes + i * from.channels, plane);
      i += run;
    }
  };
  // Many channels of one tile are longer pieces of memory than a group of them of four.
  if (from.channels <= 64)
    in_runs(std::integral_constant<std::int64_t, 4>{});
  else
    in_runs(std::integral_constant<std::int64_t, 1>{});
}

/// The other way, of channels [begin, begin + channels), which the planes have alone, `width` apart.
template <class T>
void from_points(const T* planes, std::int64_t plane, const Tiles& tiles, std::int64_t first, std::int64_t count,
                 const Images<T>& to, std::int64_t begin, std::int64_t channels, std::int64_t width) {
  const std::int64_t row_step = to.w * to.channels, column_step = to.channels;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tiles::At at = tiles[first + i];
    const T* const from = planes + i * width;
    T* const pixel = to.pixel(at.image, at.y, at.x) + begin;
    const std::int64_t rows = std::min(out_side, to.h - at.y), columns = std::min(out_side, to.w - at.x);
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

}  // namespace weft::detail

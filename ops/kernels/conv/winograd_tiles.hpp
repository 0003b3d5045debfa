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

/// The tiles of all images. Where they do not cut an axis evenly the last ones are smaller along it and have fewer
/// points. They are sorted by kind: at the right edge, whole, at the lower edge, in the corner. So those that have a
/// point follow one another.
class Tiles {
 public:
  Tiles(std::int64_t n, std::int64_t oh, std::int64_t ow) {
    const Axis h(oh), w(ow);
    kinds_ = {{{0, h.whole, w.edge}, {0, h.whole, w.whole}, {0, h.edge, w.whole}, {0, h.edge, w.edge}}};
    for (Kind& kind : kinds_) {
      kind.first = count;
      count += n * kind.rows.count * kind.columns.count;
    }
  }

  struct At {
    std::int64_t image, y, x;     // of its first output
    std::int64_t side_h, side_w;  // its outputs
    std::int64_t in_row;          // the tiles from it to the end of its row
  };
  At operator[](std::int64_t i) const {
    const Kind& kind = kinds_[kind_of(i)];
    i -= kind.first;
    const std::int64_t columns = kind.columns.count, rows = kind.rows.count, column = i % columns;
    return {i / (rows * columns),
            kind.rows.begin + i / columns % rows * kind.rows.side,
            kind.columns.begin + column * kind.columns.side,
            kind.rows.side,
            kind.columns.side,
            columns - column};
  }

  /// Those of tiles [first, first + tiles) that have a point of the 36.
  struct Run {
    std::int64_t first, count;
  };
  Run with_point(std::int64_t point, std::int64_t first, std::int64_t tiles) const {
    const Kind& corner = kinds_[3];
    const bool high = has_point(corner.rows.side, point / 6), wide = has_point(corner.columns.side, point % 6);
    const std::int64_t end = first + tiles;
    const std::int64_t from = std::clamp(wide ? 0 : kinds_[1].first, first, end);
    const std::int64_t to = !high ? kinds_[2].first : wide ? count : corner.first;
    return {from, std::max<std::int64_t>(std::min(end, to) - from, 0)};
  }

  std::int64_t count = 0;

 private:
  struct Part {
    std::int64_t begin, count, side;
  };
  struct Axis {
    explicit Axis(std::int64_t size)
        : whole{0, size / out_side, out_side},
          edge{whole.count * out_side, size % out_side > 0, std::max<std::int64_t>(size % out_side, 2)} {}
    Part whole, edge;
  };
  struct Kind {
    std::int64_t first;
    Part rows, columns;
  };
  std::size_t kind_of(std::int64_t i) const {
    std::size_t kind = 3;
    while (i < kinds_[kind].first) --kind;
    return kind;
  }

  std::array<Kind, 4> kinds_;
};

/// Calls f with a tile's side as a constant.
template <class F>
[[gnu::always_inline]] inline void with_side(std::int64_t side, const F& f) {
  if (side == 4) return f(std::integral_constant<std::int64_t, 4>{});
  if (side == 3) return f(std::integral_constant<std::int64_t, 3>{});
  f(std::integral_constant<std::int64_t, 2>{});
}

/// Where the 36 planes of a block lie: apart by more than whole pages, or they fall into the same sets of the cache.
template <class T>
std::int64_t plane_size(std::int64_t tiles, std::int64_t channels) {
  const std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  return (tiles * channels + line - 1) / line * line + line;
}

/// A run of neighbouring tiles, a group of channels at a time: its columns of pixels are transformed once, though the
/// squares of two neighbours share two of them. A tile's square has `more` pixels a side than it has outputs. Of at
/// most `most` tiles: the fewer they are, the more channels make a group, and the longer are the pieces of memory.
template <std::int64_t more, std::int64_t most, class T>
class RunOfTiles {
 public:
  static constexpr std::int64_t group = (most == 1 ? 512 : 128) / static_cast<std::int64_t>(sizeof(T));

  /// From a tile on whose first pixel is (y, x), which may lie outside, where there are zeros: a row of them.
  RunOfTiles(const Images<const T>& from, const Tiles::At& at, std::int64_t y, std::int64_t x, const T* zeros)
      : side_h_(at.side_h), side_w_(at.side_w), x_(x), width_(from.w), channels_(from.channels) {
    for (std::int64_t row = 0; row < side_h_ + more; ++row)
      rows_[row] = y + row >= 0 && y + row < from.h ? from.pixel(at.image, y + row, 0) : zeros;
  }

  template <class F>
  void to_points(std::int64_t tiles, const F& f, T* planes, std::int64_t plane) {
    for (std::int64_t begin = 0; begin < channels_; begin += group) {
      const std::int64_t count = std::min(group, channels_ - begin);
      with_side(side_h_, [&](auto side) {
        for (std::int64_t column = 0; column < tiles * side_w_ + more; ++column)
          transform_column<side.value>(column, begin, count, f);
      });
      with_side(side_w_, [&](auto side) {
        for (std::int64_t tile = 0; tile < tiles; ++tile)
          for (std::int64_t k = 0; k < side_h_ + 2; ++k) {
            const std::int64_t row = point_of(side_h_, k);
            transform_row<side.value>(half_ + (tile * side.value * 6 + row) * group, count, f,
                                      planes + tile * channels_ + begin + row * 6 * plane, plane);
          }
      });
    }
  }

 private:
  template <std::int64_t side, class F>
  void transform_column(std::int64_t column, std::int64_t begin, std::int64_t count, const F& f) {
    T* const to = half_ + column * 6 * group;
    if (x_ + column < 0 || x_ + column >= width_) {
      std::fill_n(to, 6 * group, T{0});
      return;
    }
    const std::int64_t offset = (x_ + column) * channels_ + begin;
    for_vectors<T>(count, [&](auto v) {
      along<side + more, side + 2, Vector<T>>(
          [&](std::int64_t row) { return v.load(rows_[row] + offset); }, f,
          [&](std::int64_t k, const Vector<T>& value) { value.store_aligned(to + point_of(side, k) * group + v.i); });
    });
  }
  template <std::int64_t side, class F>
  static void transform_row(const T* from, std::int64_t count, const F& f, T* to, std::int64_t plane) {
    for_vectors<T>(count, [&](auto v) {
      along<side + more, side + 2, Vector<T>>(
          [&](std::int64_t column) { return Vector<T>::load_aligned(from + column * 6 * group + v.i); }, f,
          [&](std::int64_t k, const Vector<T>& point) { v.store(to + point_of(side, k) * plane, point); });
    });
  }

  const T* rows_[out_side + more];
  std::int64_t side_h_, side_w_, x_, width_, channels_;
  alignas(64) T half_[(most * out_side + more) * 6 * group];  // {column, row of points, channel}
};

/// Points of tiles [first, first + count) into planes {count, channels}: of squares that begin `pad` before the tile's
/// first output. zeros are as many as a row of pixels has.
template <std::int64_t more, class T, class F>
void to_points(const Images<const T>& from, const Tiles& tiles, std::int64_t first, std::int64_t count,
               std::int64_t pad_h, std::int64_t pad_w, const T* zeros, const F& f, T* planes, std::int64_t plane) {
  const auto in_runs = [&](auto most) {
    for (std::int64_t i = 0; i < count;) {
      const Tiles::At at = tiles[first + i];
      const std::int64_t run = std::min({most.value, at.in_row, count - i});
      RunOfTiles<more, most.value, T>(from, at, at.y - pad_h, at.x - pad_w, zeros)
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
  const auto f = [](const auto& line) { return outputs(line); };
  constexpr std::int64_t lane = lanes<T>;
  alignas(64) T half[out_side * 6 * lane];  // {column, row of points, channel}
  for (std::int64_t i = 0; i < count; ++i) {
    const Tiles::At at = tiles[first + i];
    const T* const from = planes + i * width;
    T* const pixel = to.pixel(at.image, at.y, at.x) + begin;
    const std::int64_t rows = std::min(at.side_h, to.h - at.y), columns = std::min(at.side_w, to.w - at.x);
    for_vectors<T>(channels, [&](auto v) {
      with_side(at.side_w, [&](auto side) {
#pragma GCC unroll 1
        for (std::int64_t k = 0; k < at.side_h + 2; ++k) {
          const std::int64_t row = point_of(at.side_h, k);
          along<side.value + 2, side.value, Vector<T>>(
              [&](std::int64_t l) { return v.load(from + (row * 6 + point_of(side.value, l)) * plane); }, f,
              [&](std::int64_t column, const Vector<T>& value) {
                value.store_aligned(half + (column * 6 + row) * lane);
              });
        }
      });
      with_side(at.side_h, [&](auto side) {
#pragma GCC unroll 1
        for (std::int64_t column = 0; column < columns; ++column)
          along<side.value + 2, side.value, Vector<T>>(
              [&](std::int64_t k) {
                return Vector<T>::load_aligned(half + (column * 6 + point_of(side.value, k)) * lane);
              },
              f,
              [&](std::int64_t row, const Vector<T>& value) {
                if (row < rows) v.store(pixel + row * row_step + column * column_step, value);
              });
      });
    });
  }
}

}  // namespace weft::detail

// The gradient of the weights of winograd.cpp's convolutions: at every point a product of the inputs' tiles,
// transposed, with those of the result's gradient.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/conv/winograd_tiles.hpp>
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

// How many tiles are summed at once. Where the sums at all points fit the second-level cache, so do the tiles' points;
// else they are many, as the sums are read and written once a block.
template <class T>
std::int64_t tiles_in_sum(std::int64_t in, std::int64_t out) {
  constexpr std::int64_t size = sizeof(T);
  const std::int64_t bytes = points * (in + out) * size;
  if (points * in * out * size <= 1 << 20) return std::clamp<std::int64_t>((512 << 10) / bytes, 48, 512);
  return std::clamp<std::int64_t>((4 << 20) / bytes, 128, 512);
}

// The points of a block of tiles: of both operands.
template <class T>
struct Points {
  const T* x;
  std::int64_t x_plane, in;
  const T* gy;
  std::int64_t gy_plane, out;
  std::int64_t first;
};

// The sums over a run of the block's tiles of the products of both operands' points, {inputs, outputs} at each; `adds`
// to what is there.
template <class T>
void add_products(const Points<T>& at, std::int64_t point, const Tiles::Run& run, bool adds, T* sums) {
  const T* const x = at.x + point * at.x_plane + (run.first - at.first) * at.in;
  const T* const gy = at.gy + point * at.gy_plane + (run.first - at.first) * at.out;
  const std::int64_t vectors = (at.out + lanes<T> - 1) / lanes<T>;
  for (std::int64_t vector = 0; vector < vectors;) {
    const std::int64_t v = tile_vectors(vectors - vector);
    OuterTile<T> tile{.images = 1,
                      .rows = 1,
                      .columns = run.count,
                      .a_step = at.in,
                      .b = gy + vector * lanes<T>,
                      .b_step = at.out,
                      .c_step = at.out,
                      .last_lanes = std::min(lanes<T>, at.out - (vector + v - 1) * lanes<T>),
                      .adds = adds};
    for (std::int64_t row = 0; row < at.in;) {
      const std::int64_t rows = even_part(at.in, max_rows(static_cast<int>(v)), row);
      tile.a = x + row;
      tile.c = sums + row * at.out + vector * lanes<T>;
      run_outer_tile(rows, v, tile);
      row += rows;
    }
    vector += v;
  }
}

// The sums at all points to gradients of one input's weights.
template <class T>
void to_weights(std::int64_t input, const T* sums, std::int64_t plane, const ConvShape& s, T* gw) {
  for_vectors<T>(s.cout, [&](auto v) {
    along_both<6, 3, Vector<T>>(
        [&](std::int64_t row, std::int64_t column) {
          return v.load(sums + (row * 6 + column) * plane + input * s.cout);
        },
        [](const auto& line) { return weights(line); },
        [&](std::int64_t row, std::int64_t column, const Vector<T>& value) {
          v.store(gw + ((row * 3 + column) * s.cin + input) * s.cout, value);
        });
  });
}

}  // namespace

void winograd_backward_weight(const ConvShape& s, const float* x, const float* gy, float* gw) {
  using T = float;
  const Images<const T> from{x, s.h, s.w, s.cin}, of{gy, s.oh, s.ow, s.cout};
  const Tiles tiles(s.n, s.oh, s.ow);
  const std::int64_t block = std::min(tiles_in_sum<T>(s.cin, s.cout), tiles.count);
  const std::int64_t x_plane = plane_size<T>(block, s.cin), gy_plane = plane_size<T>(block, s.cout);
  const std::int64_t sum_plane = plane_size<T>(s.cin, s.cout);
  const std::int64_t row = std::max(s.w * s.cin, s.ow * s.cout);
  const Scratch<T> memory(points * (x_plane + gy_plane + sum_plane) + row);
  T *const x_points = memory.data(), *const gy_points = x_points + points * x_plane;
  T *const sums = gy_points + points * gy_plane, *const zeros = sums + points * sum_plane;
  std::fill_n(zeros, row, T{0});
  for (std::int64_t first = 0; first < tiles.count; first += block) {
    const std::int64_t count = std::min(block, tiles.count - first);
    parallel_for(count, grain_for(10 * (s.cin + s.cout)), [&](std::int64_t begin, std::int64_t end) {
      to_points<2>(
          from, tiles, first + begin, end - begin, s.pad_h, s.pad_w, zeros,
          [](const auto& line) { return input_points(line); }, x_points + begin * s.cin, x_plane);
      to_points<0>(
          of, tiles, first + begin, end - begin, 0, 0, zeros, [](const auto& line) { return output_points(line); },
          gy_points + begin * s.cout, gy_plane);
    });
    const Points<T> at{x_points, x_plane, s.cin, gy_points, gy_plane, s.cout, first};
    parallel_for(points, grain_for(count * s.cin * s.cout / lanes<T>), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        const Tiles::Run run = tiles.with_point(p, first, count);
        add_products(at, p, run, run.first > tiles.with_point(p, 0, tiles.count).first, sums + p * sum_plane);
      }
    });
  }
  parallel_for(s.cin, grain_for(40 * s.cout), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) to_weights(c, sums, sum_plane, s, gw);
  });
}

}  // namespace weft::detail

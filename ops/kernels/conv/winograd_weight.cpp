// The gradient of the weights of winograd.cpp's convolutions: at every point a product of the inputs' tiles,
// transposed, with those of the result's gradient.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/conv/winograd_tiles.hpp>
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

// Whether the sums at all points fit the second-level cache.
template <class T>
bool few_sums(std::int64_t in, std::int64_t out) {
  return points * in * out * static_cast<std::int64_t>(sizeof(T)) <= 1 << 20;
}

// How many tiles make a block, which is added to the sums at once. Where they are few, so are the tiles' points; else
// the tiles are many, as the sums are read and written once a block.
template <class T>
std::int64_t tiles_in_block(std::int64_t in, std::int64_t out) {
  const std::int64_t bytes = points * (in + out) * static_cast<std::int64_t>(sizeof(T));
  if (few_sums<T>(in, out)) return std::clamp<std::int64_t>((512 << 10) / bytes, 48, 512);
  return std::clamp<std::int64_t>((4 << 20) / bytes, 128, 512);
}

// Into how many parts the tiles are cut, each with sums of its own: of fewer tiles these would take longer than what is
// summed.
template <class T>
std::int64_t parts_of_tiles(std::int64_t tiles, std::int64_t in, std::int64_t out) {
  if (!few_sums<T>(in, out)) return 1;
  const std::int64_t sums = points * in * out;
  return sum_parts(tiles / 128, 2.0 * static_cast<double>(tiles) * static_cast<double>(sums), sums);
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

// The sums at all points, of all parts, to gradients of one input's weights.
template <class T>
void to_weights(std::int64_t input, const T* sums, std::int64_t parts, std::int64_t plane, const ConvShape& s, T* gw) {
  for_vectors<T>(s.cout, [&](auto v) {
    along_both<6, 3, Vector<T>>(
        [&](std::int64_t row, std::int64_t column) {
          const T* const at = sums + (row * 6 + column) * plane + input * s.cout;
          Vector<T> sum = v.load(at);
          for (std::int64_t part = 1; part < parts; ++part) sum = sum + v.load(at + part * points * plane);
          return sum;
        },
        [](const auto& line) { return weights(line); },
        [&](std::int64_t row, std::int64_t column, const Vector<T>& value) {
          v.store(gw + ((row * 3 + column) * s.cin + input) * s.cout, value);
        });
  });
}

}  // namespace

// A block's tiles are transformed and multiplied by a thread alone, part after part, each with sums of its own, while
// those fit the second-level cache; else all threads share a block, and then its points, as the sums would be too many.
// Two threads that share small blocks wait for each other's lines: a step of ResNet-20 took 1.2 times as long.
void winograd_backward_weight(const ConvShape& s, const float* x, const float* gy, float* gw) {
  using T = float;
  const Images<const T> from{x, s.h, s.w, s.cin}, of{gy, s.oh, s.ow, s.cout};
  const Tiles tiles(s.n, s.oh, s.ow);
  const std::int64_t parts = parts_of_tiles<T>(tiles.count, s.cin, s.cout);
  const std::int64_t block = std::min(tiles_in_block<T>(s.cin, s.cout), (tiles.count + parts - 1) / parts);
  const std::int64_t x_plane = plane_size<T>(block, s.cin), gy_plane = plane_size<T>(block, s.cout);
  const std::int64_t sum_plane = plane_size<T>(s.cin, s.cout);
  const std::int64_t row = std::max(s.w * s.cin, s.ow * s.cout);
  const std::int64_t threads = std::min<std::int64_t>(num_threads(), parts), each = points * (x_plane + gy_plane);
  const ScratchOfParts<T> memory(threads, each);
  const Scratch<T> shared(parts * points * sum_plane + row);
  T *const all_sums = shared.data(), *const zeros = all_sums + parts * points * sum_plane;
  std::fill_n(zeros, row, T{0});
  // Tiles [first, end), to the sums of a part.
  const auto add_tiles = [&](std::int64_t begin, std::int64_t end, T* x_points, T* sums) {
    T* const gy_points = x_points + points * x_plane;
    for (std::int64_t first = begin; first < end; first += block) {
      const std::int64_t count = std::min(block, end - first);
      parallel_for(count, grain_for(10 * (s.cin + s.cout)), [&](std::int64_t from_tile, std::int64_t to_tile) {
        to_points<2>(
            from, tiles, first + from_tile, to_tile - from_tile, s.pad_h, s.pad_w, zeros,
            [](const auto& line) { return input_points(line); }, x_points + from_tile * s.cin, x_plane);
        to_points<0>(
            of, tiles, first + from_tile, to_tile - from_tile, 0, 0, zeros,
            [](const auto& line) { return output_points(line); }, gy_points + from_tile * s.cout, gy_plane);
      });
      const Points<T> at{x_points, x_plane, s.cin, gy_points, gy_plane, s.cout, first};
      parallel_for(points, grain_for(count * s.cin * s.cout / lanes<T>), [&](std::int64_t p, std::int64_t last) {
        for (; p < last; ++p) {
          const Tiles::Run run = tiles.with_point(p, first, count);
          add_products(at, p, run, first > begin, sums + p * sum_plane);
        }
      });
    }
  };
  parallel_for(threads, 1, [&](std::int64_t thread, std::int64_t last) {
    for (std::int64_t part = parts * thread / threads; part < parts * last / threads; ++part)
      add_tiles(tiles.count * part / parts, tiles.count * (part + 1) / parts, memory[thread],
                all_sums + part * points * sum_plane);
  });
  parallel_for(s.cin, grain_for(40 * s.cout), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) to_weights(c, all_sums, parts, sum_plane, s, gw);
  });
}

}  // namespace weft::detail

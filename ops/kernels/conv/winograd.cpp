// Convolutions with 3x3 kernels and stride 1 by F(4x4, 3x3): a quarter of the multiplications. Tiles of 6x6 inputs
// become 36 points each; at every point the convolution is a product of the tiles' channels with the weights'.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/conv/winograd_tiles.hpp>
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

// The most inputs that are multiplied at once, so that what is read of the weights' points stays in the cache.
constexpr std::int64_t most_inputs = 128;

// Inputs [first, first + inputs) to outputs [vector, vector + vectors) in vectors.
struct Panel {
  std::int64_t first, inputs, vector, vectors;
};

// The weights {3, 3, in, out} or, turned, {3, 3, out, in} with its taps in reverse, which are an input gradient's.
template <class T>
class Weights {
 public:
  Weights(const T* w, std::int64_t in, std::int64_t out, bool turned)
      : in_(in), out_(out), swapped_(turned ? 9 * in * out : 0), w_(w) {
    if (!turned) return;
    turn(w);
    w_ = swapped_.data();
  }

  std::int64_t vectors() const { return (out_ + lanes<T> - 1) / lanes<T>; }
  std::int64_t out() const { return out_; }
  std::int64_t in() const { return in_; }

  // From one point of a panel to the next, and the numbers of all of them.
  static std::int64_t plane(const Panel& p) { return plane_size<T>(p.inputs, p.vectors * lanes<T>); }
  static std::int64_t size(const Panel& p) { return points * plane(p); }

  // The points of a panel, for each of them a matrix as run_row_tile reads it.
  void to_points(const Panel& p, T* to) const {
    for (std::int64_t c = 0; c < p.inputs; ++c)
      for (std::int64_t i = 0; i < p.vectors; ++i)
        transform(p.first + c, p.vector + i, to + (c * p.vectors + i) * lanes<T>, plane(p));
  }

 private:
  void turn(const T* w) {
    constexpr std::int64_t square = 64 / static_cast<std::int64_t>(sizeof(T));
    parallel_for(9, grain_for(2 * in_ * out_), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t tap = begin; tap < end; ++tap)
        for (std::int64_t first = 0; first < in_; first += square)
          for (std::int64_t o = 0; o < out_; ++o)
            for (std::int64_t c = first; c < std::min(first + square, in_); ++c)
              swapped_.data()[(tap * in_ + c) * out_ + o] = w[((8 - tap) * out_ + o) * in_ + c];
    });
  }
  void transform(std::int64_t c, std::int64_t vector, T* to, std::int64_t plane) const {
    const std::int64_t o = vector * lanes<T>;
    const FirstLanes<T> part(std::min(lanes<T>, out_ - o));
    along_both<3, 6, Vector<T>>(
        [&](std::int64_t row, std::int64_t column) {
          return part.load(w_ + ((row * 3 + column) * in_ + c) * out_ + o);
        },
        [](const auto& line) { return weight_points(line); },
        [&](std::int64_t row, std::int64_t column, const Vector<T>& point) {
          point.store_unaligned(to + (row * 6 + column) * plane);
        });
  }

  std::int64_t in_, out_;
  Scratch<T> swapped_;
  const T* w_;
};

// Calls f(panel) for the parts of the inputs, for outputs from a vector on.
template <class F>
void for_inputs(std::int64_t in, std::int64_t vector, std::int64_t vectors, const F& f) {
  for (std::int64_t first = 0; first < in;) {
    const std::int64_t inputs = even_part(in, most_inputs, first);
    f(Panel{first, inputs, vector, vectors});
    first += inputs;
  }
}

// The points of all weights, a panel after another.
template <class T>
class PackedWeights {
 public:
  explicit PackedWeights(const Weights<T>& w) : w_(w), packed_(w.vectors() * step()) {
    const std::int64_t pairs = (w.vectors() + 1) / 2;
    parallel_for(pairs, grain_for(80 * w.in() * lanes<T>), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t vector = 0; vector < w.vectors();) {
        const std::int64_t v = tile_vectors(w.vectors() - vector);
        if (vector / 2 >= begin && vector / 2 < end) pack(vector, v);
        vector += v;
      }
    });
  }
  // The points of the parts of the inputs one after another.
  const T* at(std::int64_t vector) const { return packed_.data() + vector * step(); }

 private:
  // From one vector of outputs to the next: as if each were a panel, which takes no less than its share of one.
  std::int64_t step() const {
    std::int64_t size = 0;
    for_inputs(w_.in(), 0, 1, [&](const Panel& p) { size += Weights<T>::size(p); });
    return size;
  }
  void pack(std::int64_t vector, std::int64_t v) {
    T* to = packed_.data() + vector * step();
    for_inputs(w_.in(), vector, v, [&](const Panel& p) {
      w_.to_points(p, to);
      to += Weights<T>::size(p);
    });
  }

  const Weights<T>& w_;
  Scratch<T> packed_;
};

// At a point {count, in} times a panel into {count, out}. Rows of tiles follow one another while the weights stay in
// the first-level cache.
template <class T>
void multiply(const Panel& p, const T* w, const T* x, std::int64_t in, std::int64_t count, T* y, std::int64_t out) {
  const std::int64_t width = p.vectors * lanes<T>, most = max_rows(static_cast<int>(p.vectors));
  RowTile<T> tile{.x = x + p.first,
                  .x_step = in,
                  .outer = 1,
                  .inner = 1,
                  .length = p.inputs,
                  .b = w,
                  .b_step = width,
                  .c = y,
                  .c_step = out,
                  .last_lanes = lanes<T>,
                  .adds = p.first > 0};
  const auto run = [&](std::int64_t rows, std::int64_t repeats) {
    if (repeats == 0) return;
    tile.repeats = repeats;
    tile.x_repeat = rows * in;
    tile.c_repeat = rows * out;
    run_row_tile(rows, p.vectors, tile);
    tile.x += repeats * tile.x_repeat;
    tile.c += repeats * tile.c_repeat;
  };
  if (count == 0) return;
  const std::int64_t parts = (count + most - 1) / most, low = count / parts, higher = count % parts;
  run(low + 1, higher);
  run(low, parts - higher);
}

// One pass: y = x * w of a convolution with kernel 3x3 and stride 1, or the gradient of its input, which is one too.
template <class T>
struct Pass {
  const Images<const T>& x;
  const Images<T>& y;
  std::int64_t pad_h, pad_w;
  const Weights<T>& weights;
  Tiles tiles;
  const T* zeros;

  void inputs(std::int64_t first, std::int64_t count, T* planes, std::int64_t plane) const {
    to_points<2>(
        x, tiles, first, count, pad_h, pad_w, zeros, [](const auto& line) { return input_points(line); }, planes,
        plane);
  }
  void outputs(const T* planes, std::int64_t plane, std::int64_t first, std::int64_t count, std::int64_t vector,
               std::int64_t v) const {
    const std::int64_t begin = vector * lanes<T>, width = v * lanes<T>;
    from_points(planes, plane, tiles, first, count, y, begin, std::min(width, y.channels - begin), width);
  }
  double flops() const {
    return 2.0 * static_cast<double>(points * tiles.count * x.channels) * static_cast<double>(y.channels);
  }
};

// Cuts `count` tiles into equal blocks of about `most`, of whole rows of the product's tiles: how many make one.
std::int64_t tiles_in_block(std::int64_t count, std::int64_t most) {
  const std::int64_t high = max_rows(2), blocks = std::max<std::int64_t>((count + most - 1) / most, 1);
  return std::min(((count + blocks - 1) / blocks + high - 1) / high * high, count);
}

// Of many tiles and weights whose points are few: block by block, which stays in the second-level cache from its input
// to its output.
template <class T>
void by_blocks(const Pass<T>& pass) {
  const Tiles& tiles = pass.tiles;
  const std::int64_t in = pass.x.channels, vectors = pass.weights.vectors();
  const PackedWeights<T> weights(pass.weights);
  // The points of their inputs and of a panel of outputs fill two fifths of the second-level cache.
  const std::int64_t bytes = points * (in + 2 * lanes<T>)*static_cast<std::int64_t>(sizeof(T));
  const std::int64_t block = tiles_in_block(tiles.count, std::clamp<std::int64_t>((200 << 10) / bytes, 6, 48));
  const std::int64_t blocks = (tiles.count + block - 1) / block;
  const std::int64_t in_plane = plane_size<T>(block, in), out_plane = plane_size<T>(block, max_vectors * lanes<T>);
  const std::int64_t parts = conv_parts(blocks, pass.flops()), each = points * (in_plane + out_plane);
  const ScratchOfParts<T> memory(parts, each);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    T *const x = memory[part], *const y = x + points * in_plane;
    for (std::int64_t b = blocks * part / parts; b < blocks * last_part / parts; ++b) {
      const std::int64_t first = b * block, count = std::min(block, tiles.count - first);
      pass.inputs(first, count, x, in_plane);
      for (std::int64_t vector = 0; vector < vectors;) {
        const std::int64_t v = tile_vectors(vectors - vector);
        const T* w = weights.at(vector);
        for_inputs(in, vector, v, [&](const Panel& p) {
          for (std::int64_t point = 0; point < points; ++point) {
            const Tiles::Run run = tiles.with_point(point, first, count);
            multiply(p, w + point * Weights<T>::plane(p), x + point * in_plane + (run.first - first) * in, in,
                     run.count, y + point * out_plane + (run.first - first) * v * lanes<T>, v * lanes<T>);
          }
          w += Weights<T>::size(p);
        });
        pass.outputs(y, out_plane, first, count, vector, v);
        vector += v;
      }
    }
  });
}

// Of weights with more points than the second-level cache holds: a point after another of many tiles, so that those
// weights are read but once and the tiles' channels at one point stay in that cache.
template <class T>
void by_points(const Pass<T>& pass) {
  const std::int64_t in = pass.x.channels, vectors = pass.weights.vectors(), out = vectors * lanes<T>;
  const PackedWeights<T> weights(pass.weights);
  const std::int64_t bytes = points * (in + out) * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t block = tiles_in_block(pass.tiles.count, std::clamp<std::int64_t>((6 << 20) / bytes, 48, 192));
  const std::int64_t in_plane = plane_size<T>(block, in), out_plane = plane_size<T>(block, out);
  const Scratch<T> memory(points * (in_plane + out_plane));
  T *const x = memory.data(), *const y = x + points * in_plane;
  for (std::int64_t first = 0; first < pass.tiles.count; first += block) {
    const std::int64_t count = std::min(block, pass.tiles.count - first);
    parallel_for(count, grain_for(20 * in), [&](std::int64_t begin, std::int64_t end) {
      pass.inputs(first + begin, end - begin, x + begin * in, in_plane);
    });
    parallel_for(points, grain_for(count * in * vectors), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t point = begin; point < end; ++point) {
        const Tiles::Run run = pass.tiles.with_point(point, first, count);
        const T* const of = x + point * in_plane + (run.first - first) * in;
        T* const to = y + point * out_plane + (run.first - first) * out;
        for (std::int64_t vector = 0; vector < vectors;) {
          const std::int64_t v = tile_vectors(vectors - vector);
          const T* w = weights.at(vector);
          for_inputs(in, vector, v, [&](const Panel& p) {
            multiply(p, w + point * Weights<T>::plane(p), of, in, run.count, to + vector * lanes<T>, out);
            w += Weights<T>::size(p);
          });
          vector += v;
        }
      }
    });
    parallel_for(count, grain_for(20 * out), [&](std::int64_t begin, std::int64_t end) {
      from_points(y + begin * out, out_plane, pass.tiles, first + begin, end - begin, pass.y, 0, pass.y.channels, out);
    });
  }
}

template <class T>
void winograd(const Images<const T>& x, std::int64_t n, std::int64_t pad_h, std::int64_t pad_w, const T* w, bool turned,
              const Images<T>& y) {
  const Weights<T> weights(w, x.channels, y.channels, turned);
  const Scratch<T> zeros(x.w * x.channels);
  std::fill_n(zeros.data(), x.w * x.channels, T{0});
  const Pass<T> pass{x, y, pad_h, pad_w, weights, Tiles(n, y.h, y.w), zeros.data()};
  if (pass.tiles.count == 0) return;
  if (points * static_cast<std::int64_t>(sizeof(T)) * x.channels * y.channels <= 1 << 20)
    by_blocks(pass);
  else
    by_points(pass);
}

}  // namespace

bool suits_winograd(const ConvShape& s) {
  const bool has_form = s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dil_h == 1 && s.dil_w == 1 &&
                        s.groups == 1 && std::max(s.pad_h, s.pad_w) <= 2 && std::min(s.cin, s.cout) >= 8;
  if (!s.fast || !has_form) return false;
  // Work for each pair of channels, in multiply-adds of the product: a transform of a tile's vector of inputs takes as
  // long as 500, of outputs as 300, and a weight's 36 points as 400 from the second-level cache, 1,500 from beyond it
  // (docs/decisions.md).
  const Tiles tiles(s.n, s.oh, s.ow);
  double products = 0;
  for (std::int64_t point = 0; point < points; ++point)
    products += static_cast<double>(tiles.with_point(point, 0, tiles.count).count);
  const double weight_bytes = 36.0 * 4 * static_cast<double>(s.cin) * static_cast<double>(s.cout);
  const double weight_work = weight_bytes < 1e6 ? 400 : 1500;
  const double a_tile = 500 / static_cast<double>(s.cout) + 300 / static_cast<double>(s.cin);
  return products + static_cast<double>(tiles.count) * a_tile + weight_work <
         0.9 * 9 * static_cast<double>(s.n * s.oh * s.ow);
}

void winograd_forward(const ConvShape& s, const float* x, const float* w, float* y) {
  winograd<float>({x, s.h, s.w, s.cin}, s.n, s.pad_h, s.pad_w, w, false, {y, s.oh, s.ow, s.cout});
}

void winograd_backward_input(const ConvShape& s, const float* gy, const float* w, float* gx) {
  winograd<float>({gy, s.oh, s.ow, s.cout}, s.n, 2 - s.pad_h, 2 - s.pad_w, w, true, {gx, s.h, s.w, s.cin});
}

}  // namespace weft::detail

// The weights' gradient, directly: for one tap of the kernel it is the product x' gy over all pixels that the tap joins. A
// tile of it, some channels of the one operand by some vectors of the other, stays in registers while the pixels go by.
#include <weft/engine/parallel.hpp>
#include <weft/ops/kernels/conv_paths.hpp>
#include <weft/ops/kernels/outer_tile.hpp>
#include <weft/ops/kernels/register_tiles.hpp>

namespace weft::detail {

namespace {

/// A block of output pixels, small enough that what a tile reads of it stays in the first-level cache.
struct Block {
  std::int64_t image, images, row, rows;
};

class Blocks {
 public:
  Blocks(const ConvShape& s, std::int64_t pixels, std::int64_t parts) {
    n_ = s.n;
    oh_ = s.oh;
    images_ = std::max<std::int64_t>(pixels / (s.oh * s.ow), 1);
    images_ = std::clamp<std::int64_t>((s.n + parts - 1) / parts, 1, images_);
    rows_ = images_ > 1 ? oh_ : std::clamp<std::int64_t>(pixels / s.ow, 1, oh_);
    if (s.n < parts) rows_ = std::min(rows_, std::max<std::int64_t>(s.n * oh_ / parts, 1));
    per_image_ = (oh_ + rows_ - 1) / rows_;
  }
  std::int64_t count() const { return images_ > 1 ? (n_ + images_ - 1) / images_ : n_ * per_image_; }
  Block operator[](std::int64_t i) const {
    if (images_ > 1) return {i * images_, std::min(images_, n_ - i * images_), 0, oh_};
    const std::int64_t row = i % per_image_ * rows_;
    return {i / per_image_, 1, row, std::min(rows_, oh_ - row)};
  }
  std::int64_t rows() const { return rows_; }

 private:
  std::int64_t n_, oh_, images_, rows_, per_image_;
};

/// The outputs o in [begin, end) for which o * stride - pad + tap lies in [0, size).
struct Range {
  std::int64_t begin, end;
  static Range of(std::int64_t begin, std::int64_t end, std::int64_t stride, std::int64_t pad, std::int64_t tap,
                  std::int64_t size) {
    const std::int64_t low = pad - tap;
    const std::int64_t high = size + pad - tap;  // first input position too far
    Range r{};
    r.begin = std::max(begin, low <= 0 ? 0 : (low + stride - 1) / stride);
    r.end = std::max(r.begin, std::min(end, high <= 0 ? 0 : (high + stride - 1) / stride));
    return r;
  }
};

template <class T>
class DirectWeight {
 public:
  /// With `swapped`, sum is {kh, kw, cout, cin} and the vectors lie along cin.
  DirectWeight(const ConvShape& s, const T* x, const T* gy, bool swapped) : s_(s), x_(x), gy_(gy), swapped_(swapped) {}

  /// sum = beta * sum + what a block adds.
  void add(const Block& block, T beta, T* sum) const {
    const std::int64_t a_channels = swapped_ ? s_.cout : s_.cin;
    const std::int64_t b_channels = swapped_ ? s_.cin : s_.cout;
    const std::int64_t vectors = (b_channels + lanes<T> - 1) / lanes<T>;
    for (std::int64_t vector = 0; vector < vectors;) {
      const std::int64_t v = tile_vectors(vectors - vector);
      OuterTile<T> tile{};
      tile.images = block.images;
      tile.c_step = b_channels;
      tile.last_lanes = std::min(lanes<T>, b_channels - (vector + v - 1) * lanes<T>);
      tile.beta = beta;
      const std::int64_t most = max_rows(static_cast<int>(v));
      for (std::int64_t a = 0; a < a_channels;) {
        const std::int64_t rows = even_part(a_channels, most, a);
        for (std::int64_t ky = 0; ky < s_.kh; ++ky) {
          for (std::int64_t kx = 0; kx < s_.kw; ++kx) {
            place(tile, block, ky, kx, a, vector * lanes<T>);
            tile.c = sum + ((ky * s_.kw + kx) * a_channels + a) * b_channels + vector * lanes<T>;
            run_outer_tile(rows, v, tile);
          }
        }
        a += rows;
      }
      vector += v;
    }
  }

 private:
  void place(OuterTile<T>& tile, const Block& block, std::int64_t ky, std::int64_t kx, std::int64_t a,
             std::int64_t b) const {
    const Range y = Range::of(block.row, block.row + block.rows, s_.stride_h, s_.pad_h, ky * s_.dil_h, s_.h);
    const Range x = Range::of(0, s_.ow, s_.stride_w, s_.pad_w, kx * s_.dil_w, s_.w);
    tile.rows = y.end - y.begin;
    tile.columns = x.end - x.begin;
    const std::int64_t iy = y.begin * s_.stride_h - s_.pad_h + ky * s_.dil_h;
    const std::int64_t ix = x.begin * s_.stride_w - s_.pad_w + kx * s_.dil_w;
    const T* in = x_ + ((block.image * s_.h + iy) * s_.w + ix) * s_.cin + (swapped_ ? b : a);
    const T* out = gy_ + ((block.image * s_.oh + y.begin) * s_.ow + x.begin) * s_.cout + (swapped_ ? a : b);
    const std::int64_t in_steps[] = {s_.h * s_.w * s_.cin, s_.stride_h * s_.w * s_.cin, s_.stride_w * s_.cin};
    const std::int64_t out_steps[] = {s_.oh * s_.ow * s_.cout, s_.ow * s_.cout, s_.cout};
    tile.a = swapped_ ? out : in;
    tile.b = swapped_ ? in : out;
    const auto& a_steps = swapped_ ? out_steps : in_steps;
    const auto& b_steps = swapped_ ? in_steps : out_steps;
    tile.a_image = a_steps[0];
    tile.a_row = a_steps[1];
    tile.a_step = a_steps[2];
    tile.b_image = b_steps[0];
    tile.b_row = b_steps[1];
    tile.b_step = b_steps[2];
  }

  ConvShape s_;
  const T* x_;
  const T* gy_;
  bool swapped_;
};

/// gw = the partial sums, {taps, cout, cin} each, added up and transposed.
template <class T>
void gather_swapped(const ConvShape& s, std::int64_t parts, const T* partials, T* gw) {
  const std::int64_t matrix = s.cin * s.cout;
  const std::int64_t taps = s.kh * s.kw;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    for (std::int64_t i = 0; i < s.cin; ++i) {
      for (std::int64_t o = 0; o < s.cout; ++o) {
        T sum(0);
        for (std::int64_t part = 0; part < parts; ++part) sum += partials[(part * taps + tap) * matrix + o * s.cin + i];
        gw[tap * matrix + i * s.cout + o] = sum;
      }
    }
  }
}

/// Lanes worked for every lane used.
template <class T>
double vector_waste(std::int64_t channels) {
  const std::int64_t vectors = (channels + lanes<T> - 1) / lanes<T>;
  return static_cast<double>(vectors * lanes<T>) / static_cast<double>(channels);
}

}  // namespace

template <class T>
void direct_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  const std::int64_t count = s.kh * s.kw * s.cin * s.cout;
  if (s.n * s.oh * s.ow * count == 0) return static_cast<void>(std::fill_n(gw, count, T(0)));
  const bool swapped = vector_waste<T>(s.cin) < vector_waste<T>(s.cout);
  std::int64_t parts = conv_parts(s.n * s.oh, conv_flops(s));
  const Blocks blocks(s, count > 256 * 1024 ? 768 : 256, parts);
  parts = std::min(parts, blocks.count());
  const std::int64_t in_scratch = swapped ? parts : parts - 1;
  const Scratch<T> partials(in_scratch * count);
  const DirectWeight<T> direct(s, x, gy, swapped);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      T* sum = in_scratch == parts ? partials.data() + part * count
               : part == 0         ? gw
                                   : partials.data() + (part - 1) * count;
      const std::int64_t begin = blocks.count() * part / parts;
      const std::int64_t end = blocks.count() * (part + 1) / parts;
      for (std::int64_t i = begin; i < end; ++i) direct.add(blocks[i], i == begin ? T(0) : T(1), sum);
    }
  });
  if (swapped) {
    gather_swapped(s, parts, partials.data(), gw);
  } else {
    add_partials(parts - 1, count, partials.data(), gw);
  }
}

template void direct_backward_weight(const ConvShape&, const float*, const float*, float*);
template void direct_backward_weight(const ConvShape&, const double*, const double*, double*);

}  // namespace weft::detail

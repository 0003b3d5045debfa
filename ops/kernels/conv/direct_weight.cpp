// The weights' gradient, directly: for one tap of the kernel it is the product x' gy over all pixels that the tap
// joins. A tile of it, some channels of the one operand by some vectors of the other, stays in registers while the
// pixels go by.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/linalg/outer_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

/// A block of output pixels, small enough that what a tile reads of it stays in the first-level cache.
struct ImageBlock {
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
  ImageBlock operator[](std::int64_t i) const {
    if (images_ > 1) return {i * images_, std::min(images_, n_ - i * images_), 0, oh_};
    const std::int64_t row = i % per_image_ * rows_;
    return {i / per_image_, 1, row, std::min(rows_, oh_ - row)};
  }

 private:
  std::int64_t n_, oh_, images_, rows_, per_image_;
};

/// One group's gradient over one block at a time.
template <class T>
class DirectWeight {
 public:
  /// The channels of x or of gy that are the rows of tiles, and those that are the columns.
  struct Operand {
    const T* data;
    std::int64_t channels, image, row, pixel;
  };

  /// With `swapped`, sums are {kh, kw, cout, cin} and the vectors lie along cin; else {kh, kw, cin / groups, cout}.
  DirectWeight(const ConvShape& s, const T* x, const T* gy, bool swapped, T* patch)
      : s_(s), x_{x, s.cin / s.groups, s.h * s.w * s.cin, s.w * s.cin, s.cin}, patch_(patch), swapped_(swapped) {
    gy_ = {gy, s.cout / s.groups, s.oh * s.ow * s.cout, s.ow * s.cout, s.cout};
  }

  /// Few channels make low tiles. The taps of a row join them to one higher tile, where the input is read through a
  /// copy with its padding.
  static bool joins_taps(const ConvShape& s) { return s.cin / s.groups < 8 && s.kw > 1 && s.dil_w == 1; }
  static std::int64_t patch_size(const ConvShape& s, const ImageBlock& block) {
    return block.images * patch_height(s, block) * patch_width(s) * (s.cin / s.groups);
  }

  /// Adds a block to the sum, the first one to nothing.
  void add(const ImageBlock& block, bool first, T* sum) const {
    if (!joins_taps(s_) || swapped_) return add_taps(x_, block, s_.kw, first, sum);
    copy_patch(block);
    const std::int64_t channels = x_.channels;
    const std::int64_t width = patch_width(s_) * channels;
    add_taps({patch_, s_.kw * channels, patch_height(s_, block) * width, width, channels}, block, 1, first, sum);
  }

 private:
  static std::int64_t patch_height(const ConvShape& s, const ImageBlock& block) {
    return (block.rows - 1) * s.stride_h + (s.kh - 1) * s.dil_h + 1;
  }
  static std::int64_t patch_width(const ConvShape& s) { return (s.ow - 1) * s.stride_w + s.kw; }

  void copy_patch(const ImageBlock& block) const {
    const std::int64_t channels = x_.channels;
    const std::int64_t width = patch_width(s_);
    const std::int64_t begin = std::min(s_.pad_w, width);
    const std::int64_t end = std::clamp(s_.w + s_.pad_w, begin, width);
    T* to = patch_;
    for (std::int64_t image = block.image; image < block.image + block.images; ++image) {
      for (std::int64_t i = 0; i < patch_height(s_, block); ++i, to += width * channels) {
        const std::int64_t iy = block.row * s_.stride_h - s_.pad_h + i;
        if (iy < 0 || iy >= s_.h) {
          std::fill_n(to, width * channels, T(0));
          continue;
        }
        std::fill_n(to, begin * channels, T(0));
        const T* from = x_.data + image * x_.image + iy * x_.row;
        for (std::int64_t ix = begin; ix < end; ++ix) {
          for (std::int64_t c = 0; c < channels; ++c) to[ix * channels + c] = from[(ix - begin) * x_.pixel + c];
        }
        std::fill_n(to + end * channels, (width - end) * channels, T(0));
      }
    }
  }

  /// `taps` of a kernel row, each `in.channels` high; joined taps read a patch that begins at the block.
  void add_taps(const Operand& in, const ImageBlock& block, std::int64_t taps, bool first, T* sum) const {
    const Operand& a = swapped_ ? gy_ : in;
    const Operand& b = swapped_ ? in : gy_;
    const std::int64_t width = swapped_ ? b.channels : s_.cout;
    const std::int64_t vectors = (b.channels + lanes<T> - 1) / lanes<T>;
    for (std::int64_t vector = 0; vector < vectors;) {
      const std::int64_t v = tile_vectors(vectors - vector);
      const std::int64_t most = max_rows(static_cast<int>(v));
      for (std::int64_t channel = 0; channel < a.channels;) {
        const std::int64_t rows = even_part(a.channels, most, channel);
        for (std::int64_t ky = 0; ky < s_.kh; ++ky) {
          for (std::int64_t kx = 0; kx < taps; ++kx) {
            OuterTile<T> tile = &in == &x_ ? over_image(block, ky, kx) : over_patch(in, block, ky);
            tile.a += channel;
            tile.b += vector * lanes<T>;
            tile.c = sum + ((ky * taps + kx) * a.channels + channel) * width + vector * lanes<T>;
            tile.c_step = width;
            tile.last_lanes = std::min(lanes<T>, b.channels - (vector + v - 1) * lanes<T>);
            tile.adds = !first;
            run_outer_tile(rows, v, tile);
          }
        }
        channel += rows;
      }
      vector += v;
    }
  }

  /// The pixels that one tap joins, where they are.
  OuterTile<T> over_image(const ImageBlock& block, std::int64_t ky, std::int64_t kx) const {
    const Range y = Range::of(block.row, block.row + block.rows, s_.stride_h, s_.pad_h, ky * s_.dil_h, s_.h);
    const Range x = Range::of(0, s_.ow, s_.stride_w, s_.pad_w, kx * s_.dil_w, s_.w);
    const std::int64_t iy = y.begin * s_.stride_h - s_.pad_h + ky * s_.dil_h;
    const std::int64_t ix = x.begin * s_.stride_w - s_.pad_w + kx * s_.dil_w;
    const T* in = x_.data + block.image * x_.image + iy * x_.row + ix * x_.pixel;
    const T* out = gy_.data + block.image * gy_.image + y.begin * gy_.row + x.begin * gy_.pixel;
    OuterTile<T> tile{.images = block.images,
                      .rows = y.end - y.begin,
                      .columns = x.end - x.begin,
                      .a = in,
                      .a_image = x_.image,
                      .a_row = s_.stride_h * x_.row,
                      .a_step = s_.stride_w * x_.pixel,
                      .b = out,
                      .b_image = gy_.image,
                      .b_row = gy_.row,
                      .b_step = gy_.pixel};
    if (swapped_) {
      std::swap(tile.a, tile.b);
      std::swap(tile.a_image, tile.b_image);
      std::swap(tile.a_row, tile.b_row);
      std::swap(tile.a_step, tile.b_step);
    }
    return tile;
  }

  /// All pixels of the block with all taps of kernel row ky.
  OuterTile<T> over_patch(const Operand& patch, const ImageBlock& block, std::int64_t ky) const {
    return {.images = block.images,
            .rows = block.rows,
            .columns = s_.ow,
            .a = patch.data + ky * s_.dil_h * patch.row,
            .a_image = patch.image,
            .a_row = s_.stride_h * patch.row,
            .a_step = s_.stride_w * patch.pixel,
            .b = gy_.data + block.image * gy_.image + block.row * gy_.row,
            .b_image = gy_.image,
            .b_row = gy_.row,
            .b_step = gy_.pixel};
  }

  ConvShape s_;
  Operand x_, gy_;
  T* patch_;
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
  const std::int64_t count = s.kh * s.kw * (s.cin / s.groups) * s.cout;
  if (s.n * s.oh * s.ow * count == 0) return static_cast<void>(std::fill_n(gw, count, T(0)));
  const bool swapped = s.groups == 1 && vector_waste<T>(s.cin) < vector_waste<T>(s.cout);
  std::int64_t parts = sum_parts(s.n * s.oh, conv_flops(s), count);
  const Blocks blocks(s, count > 256 * 1024 ? 768 : 256, parts);
  parts = std::min(parts, blocks.count());
  const std::int64_t in_scratch = swapped ? parts : parts - 1;
  const Scratch<T> partials(in_scratch * count);
  const std::int64_t patch = DirectWeight<T>::joins_taps(s) ? DirectWeight<T>::patch_size(s, blocks[0]) : 0;
  const ScratchOfParts<T> patches(parts, patch);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      T* sum = in_scratch == parts ? partials.data() + part * count
               : part == 0         ? gw
                                   : partials.data() + (part - 1) * count;
      const std::int64_t begin = blocks.count() * part / parts;
      const std::int64_t end = blocks.count() * (part + 1) / parts;
      for (std::int64_t g = 0; g < s.groups; ++g) {
        const std::int64_t out = g * (s.cout / s.groups);
        const DirectWeight<T> direct(s, x + g * (s.cin / s.groups), gy + out, swapped, patches[part]);
        for (std::int64_t i = begin; i < end; ++i) direct.add(blocks[i], i == begin, sum + out);
      }
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

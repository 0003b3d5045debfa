// Direct convolution: tiles of neighbouring output pixels of one row by some vectors of output channels stay in
// registers while the kernel's taps and the input channels go by. Images are read where they are; only the weights are
// repacked, so that a tile reads them in one stream with whole vectors.
//
// The gradient for the input is the same sum with the weights' channels swapped and the taps in reverse. With strides
// it falls into stride_h * stride_w such sums, each over the taps that reach the input pixels of one phase.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/linalg/row_tile.hpp>
#include <weft/ops/kernels/simd/register_tiles.hpp>

namespace weft::detail {

namespace {

/// One sum over a window: out[oy, ox] = sum over ky, kx, c of in[oy * stride_h - pad_h + ky * dil_h, ...] * b[ky, kx,
/// c]. Padding may be negative. `from` finds the weight of a tap: element (ky, kx, c, o) is at from + ky * tap_h + kx *
/// tap_w + c * from_c + o * from_o.
template <class T>
struct Window {
  const T* in;
  std::int64_t n, h, w, channels, in_pixel;
  std::int64_t kh, kw, stride_h, stride_w, pad_h, pad_w, dil_h, dil_w;
  T* out;
  std::int64_t oh, ow, outs;
  std::int64_t out_image, out_row, out_pixel;
  const T* from;
  std::int64_t tap_h, tap_w, from_c, from_o;
};

/// Packs the weights of outputs [begin, begin + count) as {ky, kx, c, `width`}, zeros behind count.
template <class T>
void pack(const Window<T>& s, std::int64_t begin, std::int64_t count, std::int64_t width, T* to) {
  for (std::int64_t ky = 0; ky < s.kh; ++ky) {
    for (std::int64_t kx = 0; kx < s.kw; ++kx, to += s.channels * width) {
      const T* from = s.from + ky * s.tap_h + kx * s.tap_w + begin * s.from_o;
      if (s.from_o == 1) {
        for (std::int64_t c = 0; c < s.channels; ++c) {
          T* row = std::copy_n(from + c * s.from_c, count, to + c * width);
          std::fill_n(row, width - count, T(0));
        }
      } else {
        constexpr std::int64_t most = 64;  // transposed a block at a time that stays in the first-level cache
        for (std::int64_t begin_c = 0; begin_c < s.channels; begin_c += most) {
          const std::int64_t end_c = std::min(begin_c + most, s.channels);
          for (std::int64_t o = 0; o < width; ++o) {
            for (std::int64_t c = begin_c; c < end_c; ++c) {
              to[c * width + o] = o < count ? from[c * s.from_c + o * s.from_o] : T(0);
            }
          }
        }
      }
    }
  }
}

template <class T>
class DirectRows {
 public:
  DirectRows(const Window<T>& s, const T* packed, T* patch) : s_(s), packed_(packed), patch_(patch) {
    vectors_ = (s.outs + lanes<T> - 1) / lanes<T>;
    // Enough rows to use the packed weights of a column of tiles often, few enough that the input stays in cache.
    const std::int64_t row_bytes = s.stride_h * s.w * s.in_pixel * static_cast<std::int64_t>(sizeof(T));
    band_ = std::max<std::int64_t>(512 * 1024 / std::max<std::int64_t>(row_bytes, 1), 1);
  }

  static std::int64_t patch_size(const Window<T>& s) {
    return s.kh * ((max_rows(1) - 1) * s.stride_w + (s.kw - 1) * s.dil_w + 1) * s.channels;
  }

  /// Computes rows [begin, end) of all images' output rows.
  void run(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t first = begin; first < end; first += band_) {
      const std::int64_t last = std::min(first + band_, end);
      for (std::int64_t vector = 0; vector < vectors_;) {
        const std::int64_t v = tile_vectors(vectors_ - vector);
        for (std::int64_t row = first; row < last; ++row) run_row(row / s_.oh, row % s_.oh, vector, v);
        vector += v;
      }
    }
  }

 private:
  void run_row(std::int64_t image, std::int64_t oy, std::int64_t vector, std::int64_t v) const {
    const std::int64_t top = oy * s_.stride_h - s_.pad_h;
    const std::int64_t ky_begin = top >= 0 ? 0 : (-top + s_.dil_h - 1) / s_.dil_h;
    const std::int64_t ky_end = std::min(s_.kh, top >= s_.h ? 0 : (s_.h - top + s_.dil_h - 1) / s_.dil_h);
    RowTile<T> tile{};
    tile.outer = std::max<std::int64_t>(ky_end - ky_begin, 0);
    tile.b_step = v * lanes<T>;
    tile.b = packed_ + s_.kh * s_.kw * s_.channels * vector * lanes<T> + ky_begin * s_.kw * s_.channels * tile.b_step;
    tile.c_step = s_.out_pixel;
    tile.last_lanes = std::min(lanes<T>, s_.outs - (vector + v - 1) * lanes<T>);
    T* out = s_.out + image * s_.out_image + oy * s_.out_row + vector * lanes<T>;
    const T* in = s_.in + ((image * s_.h + top + ky_begin * s_.dil_h) * s_.w) * s_.in_pixel;
    const std::int64_t most = max_rows(static_cast<int>(v));
    for (std::int64_t ox = 0; ox < s_.ow;) {
      const std::int64_t rows = even_part(s_.ow, most, ox);
      tile.c = out + ox * s_.out_pixel;
      run_tile(tile, in, ox * s_.stride_w - s_.pad_w, rows, v);
      ox += rows;
    }
  }

  /// `left` is the column that the tile's first pixel reads at tap 0; `in` the input row at the first tap that exists.
  void run_tile(RowTile<T>& tile, const T* in, std::int64_t left, std::int64_t rows, std::int64_t v) const {
    const std::int64_t right = left + (rows - 1) * s_.stride_w;  // what the last pixel reads
    const std::int64_t reach = (s_.kw - 1) * s_.dil_w;
    tile.x = in + left * s_.in_pixel;
    tile.x_step = s_.stride_w * s_.in_pixel;
    tile.outer_step = s_.dil_h * s_.w * s_.in_pixel;
    tile.inner = s_.kw;
    tile.inner_step = s_.dil_w * s_.in_pixel;
    tile.length = s_.channels;
    tile.without_first = 0;
    tile.with_last = s_.kw;
    if (left < 0 || right + reach >= s_.w) {
      // Taps that miss the first pixel, taps that miss the last: the tile knows to skip these, one pixel at either end.
      const std::int64_t first = left >= 0 ? 0 : (-left + s_.dil_w - 1) / s_.dil_w;
      const std::int64_t last = right >= s_.w ? 0 : std::min(s_.kw, (s_.w - right + s_.dil_w - 1) / s_.dil_w);
      const bool only_ends =
          left + s_.stride_w >= 0 && right - s_.stride_w + reach < s_.w && first <= last && first <= s_.kw && rows > 1;
      if (only_ends) {
        tile.without_first = first;
        tile.with_last = last;
      } else {
        copy_patch(tile, in, left, rows);
      }
    }
    const bool whole = tile.without_first == 0 && tile.with_last == s_.kw;
    if (v == 1 && s_.kw == 3 && tile.inner_step == tile.x_step && tile.without_first <= 1 && tile.with_last >= 2 &&
        s_.channels >= 4 && rows <= max_rows3) {
      return run_row_tile3(rows, tile);
    }
    if (whole && tile.inner_step == s_.channels) {  // the taps of a row are one run in memory
      tile.length *= tile.inner;
      tile.inner = 1;
      tile.with_last = 1;
    }
    run_row_tile(rows, v, tile);
  }

  /// Reads a tile's input through a copy with zeros where the image ends.
  void copy_patch(RowTile<T>& tile, const T* in, std::int64_t left, std::int64_t rows) const {
    const std::int64_t width = (rows - 1) * s_.stride_w + (s_.kw - 1) * s_.dil_w + 1;
    const std::int64_t begin = std::clamp<std::int64_t>(-left, 0, width);
    const std::int64_t end = std::clamp<std::int64_t>(s_.w - left, begin, width);
    for (std::int64_t ky = 0; ky < tile.outer; ++ky) {
      T* row = patch_ + ky * width * s_.channels;
      std::fill(row, row + begin * s_.channels, T(0));
      const T* from = in + (ky * s_.dil_h * s_.w + left) * s_.in_pixel;
      for (std::int64_t i = begin; i < end; ++i)
        std::copy_n(from + i * s_.in_pixel, s_.channels, row + i * s_.channels);
      std::fill(row + end * s_.channels, row + width * s_.channels, T(0));
    }
    tile.x = patch_;
    tile.x_step = s_.stride_w * s_.channels;
    tile.outer_step = width * s_.channels;
    tile.inner_step = s_.dil_w * s_.channels;
  }

  static constexpr std::int64_t max_rows3 = vector_registers == 32 ? 16 : 11;

  Window<T> s_;
  const T* packed_;
  T* patch_;
  std::int64_t vectors_, band_;
};

template <class T>
void run_window(const Window<T>& s) {
  if (s.n * s.oh * s.ow * s.outs == 0) return;
  const std::int64_t taps = s.kh * s.kw * s.channels;
  const std::int64_t vectors = (s.outs + lanes<T> - 1) / lanes<T>;
  const Scratch<T> packed(taps * vectors * lanes<T>);
  const double flops =
      2.0 * static_cast<double>(s.n * s.oh * s.ow) * static_cast<double>(taps) * static_cast<double>(s.outs);
  const std::int64_t parts = conv_parts(s.n * s.oh, flops);
  const std::int64_t patch = DirectRows<T>::patch_size(s);
  const ScratchOfParts<T> patches(parts, patch);
  // All tiles are equally wide but for a triple, so the columns of tiles are found by halves as well as by pairs.
  parallel_for((vectors + 1) / 2, parts > 1 ? 1 : vectors, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t vector = 0, index = 0; vector < vectors; ++index) {
      const std::int64_t v = tile_vectors(vectors - vector);
      if (index >= begin && index < end) {
        const std::int64_t o = vector * lanes<T>;
        pack(s, o, std::min(v * lanes<T>, s.outs - o), v * lanes<T>, packed.data() + taps * o);
      }
      vector += v;
    }
  });
  const std::int64_t rows = s.n * s.oh;
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    const DirectRows<T> direct(s, packed.data(), patches[part]);
    direct.run(rows * part / parts, rows * last / parts);
  });
}

/// Along one axis: the taps that reach the input positions begin, begin + stride, ... and where they read.
struct Phase {
  std::int64_t count;  // of positions
  std::int64_t taps;
  std::int64_t last_tap;  // the first in the reversed order; the next are `stride` apart downwards
  std::int64_t pad, dil;  // of a stride-1 window over the output

  static Phase of(std::int64_t begin, std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                  std::int64_t dil) {
    Phase p{};
    p.dil = stride == 1 ? dil : 1;
    p.count = begin < size ? (size - begin + stride - 1) / stride : 0;
    if (stride == 1) {
      p.taps = kernel;
      p.last_tap = kernel - 1;
      p.pad = (kernel - 1) * dil - pad;
      return p;
    }
    const std::int64_t first_tap = (begin + pad) % stride;
    p.taps = first_tap < kernel ? (kernel - first_tap + stride - 1) / stride : 0;
    p.last_tap = first_tap + (p.taps - 1) * stride;
    p.pad = p.taps - 1 - (begin + pad) / stride;
    return p;
  }
};

}  // namespace

template <class T>
void direct_forward(const ConvShape& s, const T* x, const T* w, T* y) {
  const std::int64_t in = s.cin / s.groups;
  const std::int64_t out = s.cout / s.groups;
  for (std::int64_t g = 0; g < s.groups; ++g) {
    run_window(Window<T>{.in = x + g * in,
                         .n = s.n,
                         .h = s.h,
                         .w = s.w,
                         .channels = in,
                         .in_pixel = s.cin,
                         .kh = s.kh,
                         .kw = s.kw,
                         .stride_h = s.stride_h,
                         .stride_w = s.stride_w,
                         .pad_h = s.pad_h,
                         .pad_w = s.pad_w,
                         .dil_h = s.dil_h,
                         .dil_w = s.dil_w,
                         .out = y + g * out,
                         .oh = s.oh,
                         .ow = s.ow,
                         .outs = out,
                         .out_image = s.oh * s.ow * s.cout,
                         .out_row = s.ow * s.cout,
                         .out_pixel = s.cout,
                         .from = w + g * out,
                         .tap_h = s.kw * in * s.cout,
                         .tap_w = in * s.cout,
                         .from_c = s.cout,
                         .from_o = 1});
  }
}

template <class T>
void direct_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx) {
  const std::int64_t in = s.cin / s.groups;
  const std::int64_t out = s.cout / s.groups;
  const std::int64_t tap_w = in * s.cout;
  const std::int64_t tap_h = s.kw * tap_w;
  for (std::int64_t fy = 0; fy < s.stride_h; ++fy) {
    const Phase py = Phase::of(fy, s.h, s.kh, s.stride_h, s.pad_h, s.dil_h);
    for (std::int64_t fx = 0; fx < s.stride_w; ++fx) {
      const Phase px = Phase::of(fx, s.w, s.kw, s.stride_w, s.pad_w, s.dil_w);
      const T* last_tap = w + py.last_tap * tap_h + px.last_tap * tap_w;
      for (std::int64_t g = 0; g < s.groups; ++g) {
        run_window(Window<T>{.in = gy + g * out,
                             .n = s.n,
                             .h = s.oh,
                             .w = s.ow,
                             .channels = out,
                             .in_pixel = s.cout,
                             .kh = py.taps,
                             .kw = px.taps,
                             .stride_h = 1,
                             .stride_w = 1,
                             .pad_h = py.pad,
                             .pad_w = px.pad,
                             .dil_h = py.dil,
                             .dil_w = px.dil,
                             .out = gx + (fy * s.w + fx) * s.cin + g * in,
                             .oh = py.count,
                             .ow = px.count,
                             .outs = in,
                             .out_image = s.h * s.w * s.cin,
                             .out_row = s.stride_h * s.w * s.cin,
                             .out_pixel = s.stride_w * s.cin,
                             .from = last_tap + g * out,
                             .tap_h = -s.stride_h * tap_h,
                             .tap_w = -s.stride_w * tap_w,
                             .from_c = 1,
                             .from_o = s.cout});
      }
    }
  }
}

template void direct_forward(const ConvShape&, const float*, const float*, float*);
template void direct_forward(const ConvShape&, const double*, const double*, double*);
template void direct_backward_input(const ConvShape&, const float*, const float*, float*);
template void direct_backward_input(const ConvShape&, const double*, const double*, double*);

}  // namespace weft::detail

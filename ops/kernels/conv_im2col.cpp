// Convolution as matrix products over tiles of the unfolded input. A tile is some output pixels of one image in
// row-major order, small enough that its unfolded rows (kh * kw * channels of one group each) stay in the second-level
// cache.
#include <weft/engine/parallel.hpp>
#include <weft/ops/kernels/conv_paths.hpp>
#include <weft/ops/kernels/gemm.hpp>

#include <cstring>

namespace weft::detail {

namespace {

struct Tiles {
  std::int64_t pixels;  // of a full tile
  std::int64_t per_image;
  std::int64_t unfolded;  // length of an unfolded row
  std::int64_t in, out;   // channels of one group

  template <class T>
  static Tiles of(const ConvShape& s, T) {
    Tiles t{};
    t.in = s.cin / s.groups;
    t.out = s.cout / s.groups;
    t.unfolded = s.kh * s.kw * t.in;
    const std::int64_t budget = (512 * 1024) / static_cast<std::int64_t>(sizeof(T));
    const std::int64_t image = s.oh * s.ow;
    t.pixels =
        std::clamp<std::int64_t>(budget / std::max<std::int64_t>(t.unfolded, 1), 16, std::max<std::int64_t>(image, 16));
    t.per_image = (image + t.pixels - 1) / t.pixels;
    return t;
  }
};

/// Calls f(row of the tile, offset in that unfolded row, input pixel or -1) for every pixel and tap of a tile.
template <class F>
void for_taps(const ConvShape& s, std::int64_t in, std::int64_t begin, std::int64_t end, F f) {
  std::int64_t oy = begin / s.ow;
  std::int64_t ox = begin % s.ow;
  for (std::int64_t p = begin; p < end; ++p) {
    std::int64_t offset = 0;
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      const std::int64_t iy = oy * s.stride_h - s.pad_h + ky * s.dil_h;
      for (std::int64_t kx = 0; kx < s.kw; ++kx, offset += in) {
        const std::int64_t ix = ox * s.stride_w - s.pad_w + kx * s.dil_w;
        f(p - begin, offset, iy >= 0 && iy < s.h && ix >= 0 && ix < s.w ? iy * s.w + ix : -1);
      }
    }
    if (++ox == s.ow) ox = 0, ++oy;
  }
}

template <class T>
void unfold(const ConvShape& s, const Tiles& t, const T* image, std::int64_t begin, std::int64_t end, T* tile) {
  const auto bytes = static_cast<std::size_t>(t.in) * sizeof(T);
  for_taps(s, t.in, begin, end, [&](std::int64_t row, std::int64_t offset, std::int64_t pixel) {
    T* to = tile + row * t.unfolded + offset;
    if (pixel < 0) {
      std::memset(to, 0, bytes);
    } else {
      std::memcpy(to, image + pixel * s.cin, bytes);
    }
  });
}

template <class T>
void fold_add(const ConvShape& s, const Tiles& t, const T* tile, std::int64_t begin, std::int64_t end, T* image) {
  for_taps(s, t.in, begin, end, [&](std::int64_t row, std::int64_t offset, std::int64_t pixel) {
    if (pixel < 0) return;
    const T* from = tile + row * t.unfolded + offset;
    T* to = image + pixel * s.cin;
    for (std::int64_t c = 0; c < t.in; ++c) to[c] += from[c];
  });
}

}  // namespace

template <class T>
void im2col_forward(const ConvShape& s, const T* x, const T* w, T* y) {
  const Tiles t = Tiles::of(s, T{});
  const std::int64_t tiles = s.n * t.per_image;
  const std::int64_t parts = conv_parts(tiles, conv_flops(s));
  const Scratch<T> scratch(parts * t.pixels * t.unfolded);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    T* tile = scratch.data() + part * t.pixels * t.unfolded;
    for (std::int64_t i = tiles * part / parts; i < tiles * last / parts; ++i) {
      const T* image = x + i / t.per_image * s.h * s.w * s.cin;
      const std::int64_t begin = i % t.per_image * t.pixels;
      const std::int64_t end = std::min(begin + t.pixels, s.oh * s.ow);
      T* rows = y + (i / t.per_image * s.oh * s.ow + begin) * s.cout;
      for (std::int64_t g = 0; g < s.groups; ++g) {
        unfold(s, t, image + g * t.in, begin, end, tile);
        gemm(false, false, end - begin, t.out, t.unfolded, T(1), tile, t.unfolded, w + g * t.out, s.cout, T(0),
             rows + g * t.out, s.cout);
      }
    }
  });
}

template <class T>
void im2col_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx) {
  const Tiles t = Tiles::of(s, T{});
  const std::int64_t parts = conv_parts(s.n, conv_flops(s));
  const Scratch<T> scratch(parts * t.pixels * t.unfolded);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    T* tile = scratch.data() + part * t.pixels * t.unfolded;
    for (std::int64_t i = s.n * part / parts; i < s.n * last / parts; ++i) {
      T* image = gx + i * s.h * s.w * s.cin;
      std::fill(image, image + s.h * s.w * s.cin, T(0));
      for (std::int64_t begin = 0; begin < s.oh * s.ow; begin += t.pixels) {
        const std::int64_t end = std::min(begin + t.pixels, s.oh * s.ow);
        const T* rows = gy + (i * s.oh * s.ow + begin) * s.cout;
        for (std::int64_t g = 0; g < s.groups; ++g) {
          gemm(false, true, end - begin, t.unfolded, t.out, T(1), rows + g * t.out, s.cout, w + g * t.out, s.cout, T(0),
               tile, t.unfolded);
          fold_add(s, t, tile, begin, end, image + g * t.in);
        }
      }
    }
  });
}

template <class T>
void im2col_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  const Tiles t = Tiles::of(s, T{});
  const std::int64_t tiles = s.n * t.per_image;
  const std::int64_t parts = conv_parts(tiles, conv_flops(s));
  const std::int64_t count = t.unfolded * s.cout;
  const Scratch<T> scratch(parts * t.pixels * t.unfolded);
  const Scratch<T> partials((parts - 1) * count);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    T* tile = scratch.data() + part * t.pixels * t.unfolded;
    for (; part < last; ++part) {
      T* sum = part == 0 ? gw : partials.data() + (part - 1) * count;
      std::fill(sum, sum + count, T(0));
      for (std::int64_t i = tiles * part / parts; i < tiles * (part + 1) / parts; ++i) {
        const T* image = x + i / t.per_image * s.h * s.w * s.cin;
        const std::int64_t begin = i % t.per_image * t.pixels;
        const std::int64_t end = std::min(begin + t.pixels, s.oh * s.ow);
        const T* rows = gy + (i / t.per_image * s.oh * s.ow + begin) * s.cout;
        for (std::int64_t g = 0; g < s.groups; ++g) {
          unfold(s, t, image + g * t.in, begin, end, tile);
          gemm(true, false, t.unfolded, t.out, end - begin, T(1), tile, t.unfolded, rows + g * t.out, s.cout, T(1),
               sum + g * t.out, s.cout);
        }
      }
    }
  });
  add_partials(parts - 1, count, partials.data(), gw);
}

template <class T>
void add_partials(std::int64_t parts, std::int64_t count, const T* partials, T* into) {
  for (std::int64_t part = 0; part < parts; ++part) {
    const T* from = partials + part * count;
    for (std::int64_t i = 0; i < count; ++i) into[i] += from[i];
  }
}

template void im2col_forward(const ConvShape&, const float*, const float*, float*);
template void im2col_forward(const ConvShape&, const double*, const double*, double*);
template void im2col_backward_input(const ConvShape&, const float*, const float*, float*);
template void im2col_backward_input(const ConvShape&, const double*, const double*, double*);
template void im2col_backward_weight(const ConvShape&, const float*, const float*, float*);
template void im2col_backward_weight(const ConvShape&, const double*, const double*, double*);
template void add_partials(std::int64_t, std::int64_t, const float*, float*);
template void add_partials(std::int64_t, std::int64_t, const double*, double*);

}  // namespace weft::detail

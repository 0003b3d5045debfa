// The gradient for the input as a matrix product gy w', which gives what every output pixel adds to each input pixel
// and channel it reads, and the adding of these rows into the image (col2im). A tile of output pixels at a time, small
// enough that its rows stay in the second-level cache.
#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>

namespace weft::detail {

namespace {

/// image += the rows of output pixels [begin, end), each {kh, kw, channels of one group}.
template <class T>
void add_columns(const ConvShape& s, std::int64_t begin, std::int64_t end, const T* rows, T* image) {
  const std::int64_t channels = s.cin / s.groups;
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t top = p / s.ow * s.stride_h - s.pad_h;
    const std::int64_t left = p % s.ow * s.stride_w - s.pad_w;
    for (std::int64_t ky = 0; ky < s.kh; ++ky) {
      for (std::int64_t kx = 0; kx < s.kw; ++kx, rows += channels) {
        const std::int64_t iy = top + ky * s.dil_h;
        const std::int64_t ix = left + kx * s.dil_w;
        if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
        T* to = image + (iy * s.w + ix) * s.cin;
        for (std::int64_t c = 0; c < channels; ++c) to[c] += rows[c];
      }
    }
  }
}

}  // namespace

template <class T>
void col2im_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx) {
  const std::int64_t in = s.cin / s.groups;
  const std::int64_t out = s.cout / s.groups;
  const std::int64_t pixels = s.oh * s.ow;
  const std::int64_t length = s.kh * s.kw * in;
  const std::int64_t fitting = 512 * 1024 / (length * static_cast<std::int64_t>(sizeof(T)) + 1);
  const std::int64_t tile = std::max<std::int64_t>(std::min(fitting, pixels), 16);
  const std::int64_t parts = conv_parts(s.n, conv_flops(s));
  const ScratchOfParts<T> scratch(parts, tile * length);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    T* rows = scratch[part];
    for (std::int64_t i = s.n * part / parts; i < s.n * last / parts; ++i) {
      T* image = gx + i * s.h * s.w * s.cin;
      std::fill_n(image, s.h * s.w * s.cin, T(0));
      for (std::int64_t begin = 0; begin < pixels; begin += tile) {
        const std::int64_t end = std::min(begin + tile, pixels);
        for (std::int64_t g = 0; g < s.groups; ++g) {
          const T* from = gy + (i * pixels + begin) * s.cout + g * out;
          gemm(false, true, end - begin, length, out, from, s.cout, w + g * out, s.cout, T(0), rows, length);
          add_columns(s, begin, end, rows, image + g * in);
        }
      }
    }
  });
}

template void col2im_backward_input(const ConvShape&, const float*, const float*, float*);
template void col2im_backward_input(const ConvShape&, const double*, const double*, double*);

}  // namespace weft::detail

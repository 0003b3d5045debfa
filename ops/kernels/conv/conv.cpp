#include <type_traits>

#include <weft/engine/detail/parallel.hpp>
#include <weft/ops/kernels/conv/conv.hpp>
#include <weft/ops/kernels/conv/paths.hpp>
#include <weft/ops/kernels/linalg/gemm.hpp>

namespace weft::detail {

namespace {

bool is_depthwise(const ConvShape& s) { return s.groups > 1 && s.cin == s.groups && s.cout == s.groups; }

bool is_pointwise(const ConvShape& s) {
  return s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 && s.pad_w == 0;
}

/// A 1x1 convolution knows no rows: longer ones make fuller tiles.
ConvShape with_long_rows(const ConvShape& s) {
  if (!is_pointwise(s) || s.n < num_threads()) return s;
  ConvShape flat = s;
  flat.w = flat.ow = s.h * s.w;
  flat.h = flat.oh = 1;
  return flat;
}

/// gw = x' gy for a 1x1 convolution. The result is small and the pixels many, so these are split.
template <class T>
void product_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  const std::int64_t pixels = s.n * s.oh * s.ow;
  const std::int64_t count = s.cin * s.cout;
  const std::int64_t parts = sum_parts(pixels, conv_flops(s), count);
  const Scratch<T> partials((parts - 1) * count);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      T* sum = part == 0 ? gw : partials.data() + (part - 1) * count;
      const std::int64_t begin = pixels * part / parts;
      const std::int64_t end = pixels * (part + 1) / parts;
      gemm(true, false, s.cin, s.cout, end - begin, x + begin * s.cin, s.cin, gy + begin * s.cout, s.cout, T(0), sum,
           s.cout);
    }
  });
  add_partials(parts - 1, count, partials.data(), gw);
}

/// Whether the path by a product and col2im is the faster one: the direct one has its vectors along the input channels,
/// and where those are few most lanes are idle, which shows once the sums over output channels are long.
template <class T>
bool suits_col2im(const ConvShape& s) {
  const bool dilated_strides = (s.stride_h > 1 && s.dil_h > 1) || (s.stride_w > 1 && s.dil_w > 1);
  return dilated_strides ||
         (4 * (s.cin / s.groups) <= 64 / static_cast<std::int64_t>(sizeof(T)) && s.cout / s.groups >= 64);
}

}  // namespace

template <class T>
void conv2d_forward(const ConvShape& s, const T* x, const T* w, T* y) {
  if (is_depthwise(s)) return depthwise_forward(s, x, w, y);
  if constexpr (std::is_same_v<T, float>)
    if (suits_winograd(s)) return winograd_forward(s, x, w, y);
  direct_forward(with_long_rows(s), x, w, y);
}

template <class T>
void conv2d_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx) {
  if (is_depthwise(s)) return depthwise_backward_input(s, gy, w, gx);
  if constexpr (std::is_same_v<T, float>)
    if (suits_winograd(s)) return winograd_backward_input(s, gy, w, gx);
  if (suits_col2im<T>(s)) return col2im_backward_input(s, gy, w, gx);
  direct_backward_input(with_long_rows(s), gy, w, gx);
}

template <class T>
void conv2d_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  if (is_depthwise(s)) return depthwise_backward_weight(s, x, gy, gw);
  if constexpr (std::is_same_v<T, float>)
    if (suits_winograd(s)) return winograd_backward_weight(s, x, gy, gw);
  // Without taps that read a pixel again, OpenBLAS's packing of wide operands pays.
  if (is_pointwise(s) && s.groups == 1 && std::min(s.cin, s.cout) >= 64) return product_backward_weight(s, x, gy, gw);
  direct_backward_weight(with_long_rows(s), x, gy, gw);
}

template void conv2d_forward(const ConvShape&, const float*, const float*, float*);
template void conv2d_forward(const ConvShape&, const double*, const double*, double*);
template void conv2d_backward_input(const ConvShape&, const float*, const float*, float*);
template void conv2d_backward_input(const ConvShape&, const double*, const double*, double*);
template void conv2d_backward_weight(const ConvShape&, const float*, const float*, float*);
template void conv2d_backward_weight(const ConvShape&, const double*, const double*, double*);

}  // namespace weft::detail

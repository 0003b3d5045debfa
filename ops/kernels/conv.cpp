#include <weft/engine/parallel.hpp>
#include <weft/ops/kernels/conv.hpp>
#include <weft/ops/kernels/conv_paths.hpp>
#include <weft/ops/kernels/gemm.hpp>

namespace weft::detail {

namespace {

/// A 1x1 convolution at every pixel is one matrix product over all pixels.
bool is_product(const ConvShape& s) {
  return s.kh == 1 && s.kw == 1 && s.groups == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 && s.pad_w == 0;
}

/// gw = x' gy. The result is small and the pixels many, so threads split the pixels.
template <class T>
void product_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  const std::int64_t pixels = s.n * s.oh * s.ow;
  const std::int64_t count = s.cin * s.cout;
  const std::int64_t parts = conv_parts(pixels, conv_flops(s));
  const Scratch<T> partials((parts - 1) * count);
  parallel_for(parts, 1, [&](std::int64_t part, std::int64_t last) {
    for (; part < last; ++part) {
      T* sum = part == 0 ? gw : partials.data() + (part - 1) * count;
      const std::int64_t begin = pixels * part / parts;
      const std::int64_t end = pixels * (part + 1) / parts;
      gemm(true, false, s.cin, s.cout, end - begin, T(1), x + begin * s.cin, s.cin, gy + begin * s.cout, s.cout, T(0),
           sum, s.cout);
    }
  });
  add_partials(parts - 1, count, partials.data(), gw);
}

}  // namespace

template <class T>
void conv2d_forward(const ConvShape& s, const T* x, const T* w, T* y) {
  if (is_product(s)) {
    gemm(false, false, s.n * s.h * s.w, s.cout, s.cin, T(1), x, s.cin, w, s.cout, T(0), y, s.cout);
  } else if (s.groups == 1) {
    direct_forward(s, x, w, y);
  } else {
    im2col_forward(s, x, w, y);
  }
}

template <class T>
void conv2d_backward_input(const ConvShape& s, const T* gy, const T* w, T* gx) {
  if (is_product(s)) {
    gemm(false, true, s.n * s.h * s.w, s.cin, s.cout, T(1), gy, s.cout, w, s.cout, T(0), gx, s.cin);
  } else if (s.groups == 1 && (s.stride_h == 1 || s.dil_h == 1) && (s.stride_w == 1 || s.dil_w == 1)) {
    direct_backward_input(s, gy, w, gx);
  } else {
    im2col_backward_input(s, gy, w, gx);
  }
}

template <class T>
void conv2d_backward_weight(const ConvShape& s, const T* x, const T* gy, T* gw) {
  if (is_product(s)) {
    product_backward_weight(s, x, gy, gw);
  } else if (s.groups == 1) {
    direct_backward_weight(s, x, gy, gw);
  } else {
    im2col_backward_weight(s, x, gy, gw);
  }
}

template void conv2d_forward(const ConvShape&, const float*, const float*, float*);
template void conv2d_forward(const ConvShape&, const double*, const double*, double*);
template void conv2d_backward_input(const ConvShape&, const float*, const float*, float*);
template void conv2d_backward_input(const ConvShape&, const double*, const double*, double*);
template void conv2d_backward_weight(const ConvShape&, const float*, const float*, float*);
template void conv2d_backward_weight(const ConvShape&, const double*, const double*, double*);

}  // namespace weft::detail

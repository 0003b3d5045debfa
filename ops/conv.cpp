#include <weft/ops/conv.hpp>

#include <algorithm>

#include <weft/engine/op.hpp>
#include <weft/ops/detail/factors.hpp>
#include <weft/ops/kernels/conv/conv.hpp>

namespace weft {
namespace {

using detail::ConvShape;
using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using Sizes = std::vector<std::int64_t>;

// A convolution y = x * w and its two gradients are one trilinear form: each of the three passes takes two of x, w and
// y and gives the third, and the gradients of every pass are the other two.
Tensor convolve(const Tensor& x, const Tensor& w, const ConvShape& s);
Tensor gradient_of_input(const Tensor& gy, const Tensor& w, const ConvShape& s);
Tensor gradient_of_weight(const Tensor& x, const Tensor& gy, const ConvShape& s);

Fields described(const ConvShape& s) {
  return {{"stride", Sizes{s.stride_h, s.stride_w}},
          {"padding", Sizes{s.pad_h, s.pad_w}},
          {"dilation", Sizes{s.dil_h, s.dil_w}},
          {"groups", s.groups}};
}

struct Conv2d {
  static constexpr const char* name = "conv2d";
  ConvShape s;
  detail::Factors factors = {};

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& w) {
    Tensor y = make_tensor(name, {s.n, s.oh, s.ow, s.cout}, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::conv2d_forward(s, data_of<T>(x), data_of<T>(w), mutable_data_of<T>(y));
    });
    factors.save(ctx, x, w);
    return y;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    std::array<Tensor, 2> gradients;
    if (ctx.needs(0)) gradients[0] = gradient_of_input(g, factors.b(ctx), s);
    if (ctx.needs(1)) gradients[1] = gradient_of_weight(factors.a(ctx), g, s);
    return gradients;
  }
  Fields describe() const { return described(s); }
};

struct Conv2dBackwardInput {
  static constexpr const char* name = "conv2d_backward_input";
  ConvShape s;
  detail::Factors factors = {};

  Tensor forward(Context& ctx, const Tensor& gy, const Tensor& w) {
    Tensor gx = make_tensor(name, {s.n, s.h, s.w, s.cin}, gy.dtype());
    detail::visit_floating(gy.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::conv2d_backward_input(s, data_of<T>(gy), data_of<T>(w), mutable_data_of<T>(gx));
    });
    factors.save(ctx, gy, w);
    return gx;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    std::array<Tensor, 2> gradients;
    if (ctx.needs(0)) gradients[0] = convolve(g, factors.b(ctx), s);
    if (ctx.needs(1)) gradients[1] = gradient_of_weight(g, factors.a(ctx), s);
    return gradients;
  }
  Fields describe() const { return described(s); }
};

struct Conv2dBackwardWeight {
  static constexpr const char* name = "conv2d_backward_weight";
  ConvShape s;
  detail::Factors factors = {};

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& gy) {
    Tensor gw = make_tensor(name, {s.kh, s.kw, s.cin / s.groups, s.cout}, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::conv2d_backward_weight(s, data_of<T>(x), data_of<T>(gy), mutable_data_of<T>(gw));
    });
    factors.save(ctx, x, gy);
    return gw;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const {
    std::array<Tensor, 2> gradients;
    if (ctx.needs(0)) gradients[0] = gradient_of_input(factors.b(ctx), g, s);
    if (ctx.needs(1)) gradients[1] = convolve(factors.a(ctx), g, s);
    return gradients;
  }
  Fields describe() const { return described(s); }
};

Tensor convolve(const Tensor& x, const Tensor& w, const ConvShape& s) { return apply(Conv2d{s}, x, w); }
Tensor gradient_of_input(const Tensor& gy, const Tensor& w, const ConvShape& s) {
  return apply(Conv2dBackwardInput{s}, gy, w);
}
Tensor gradient_of_weight(const Tensor& x, const Tensor& gy, const ConvShape& s) {
  return apply(Conv2dBackwardWeight{s}, x, gy);
}

// Up to 2^31, so that no size computed from these overflows.
void check_range(const char* what, Pair got, std::int64_t least) {
  constexpr std::int64_t most = std::int64_t{1} << 31U;
  if (std::min(got.height, got.width) < least || std::max(got.height, got.width) > most)
    fail("conv2d: got ", what, " {", got.height, ", ", got.width, "}, needs ", least, " to 2^31");
}

ConvShape checked_shape(const Tensor& x, const Tensor& w, const ConvOptions& o) {
  detail::check_same_dtype("conv2d", x, w);
  detail::check_floating("conv2d", x);
  if (x.rank() != 4 || w.rank() != 4)
    fail("conv2d: got x ", x.shape(), " and w ", w.shape(),
         ", needs {batch, height, width, in} and {kernel_h, kernel_w, in / groups, out}");
  check_range("stride", o.stride, 1);
  check_range("padding", o.padding, 0);
  check_range("dilation", o.dilation, 1);
  if (o.groups < 1) fail("conv2d: got ", o.groups, " groups, needs at least 1");
  const std::int64_t in = x.size(3), out = w.size(3);
  if (in % o.groups != 0 || out % o.groups != 0 || w.size(2) != in / o.groups)
    fail("conv2d: got x ", x.shape(), ", w ", w.shape(), " and ", o.groups,
         " groups, needs w {kernel_h, kernel_w, in / groups, out} with in and out multiples of groups");
  ConvShape s{.n = x.size(0),
              .h = x.size(1),
              .w = x.size(2),
              .cin = in,
              .kh = w.size(0),
              .kw = w.size(1),
              .cout = out,
              .stride_h = o.stride.height,
              .stride_w = o.stride.width,
              .pad_h = o.padding.height,
              .pad_w = o.padding.width,
              .dil_h = o.dilation.height,
              .dil_w = o.dilation.width,
              .groups = o.groups};
  if (s.kh >= 1 && s.kw >= 1) s.set_output();
  if (s.oh < 1 || s.ow < 1)
    fail("conv2d: got x ", x.shape(), ", w ", w.shape(), " and padding {", s.pad_h, ", ", s.pad_w,
         "}, needs a kernel that is not empty and fits the padded image");
  return s;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options) {
  return convolve(x, w, checked_shape(x, w, options));
}

}  // namespace weft

#include <weft/ops/conv.hpp>

#include <algorithm>
#include <atomic>

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
// y and gives the third, and the gradients of every pass are the other two. Tensors of one dimension less than images
// (conv1d's) have no axis for the height, which is 1.
Tensor convolve(const Tensor& x, const Tensor& w, const ConvShape& s);
Tensor gradient_of_input(const Tensor& gy, const Tensor& w, const ConvShape& s);
Tensor gradient_of_weight(const Tensor& x, const Tensor& gy, const ConvShape& s);

Fields described(const ConvShape& s) {
  return {{"stride", Sizes{s.stride_h, s.stride_w}},
          {"padding", Sizes{s.pad_h, s.pad_w}},
          {"dilation", Sizes{s.dil_h, s.dil_w}},
          {"groups", s.groups}};
}

// Uninitialised, without the axis of the height where an operand has none.
Tensor made(const char* op, const Tensor& operand, Shape shape, int height_axis) {
  if (operand.rank() == 3) shape.erase(height_axis);
  return make_tensor(op, shape, operand.dtype());
}

struct Conv2d {
  static constexpr const char* name = "conv2d";
  ConvShape s;
  detail::Factors factors = {};

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& w) {
    Tensor y = made(name, x, {s.n, s.oh, s.ow, s.cout}, 1);
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
    Tensor gx = made(name, gy, {s.n, s.h, s.w, s.cin}, 1);
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
    Tensor gw = made(name, x, {s.kh, s.kw, s.cin / s.groups, s.cout}, 0);
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

// The same passes under the names that users know them by.
struct Conv1d : Conv2d {
  static constexpr const char* name = "conv1d";
};
struct ConvTranspose2d : Conv2dBackwardInput {
  static constexpr const char* name = "conv_transpose2d";
};
struct ConvTranspose1d : Conv2dBackwardInput {
  static constexpr const char* name = "conv_transpose1d";
};

// Checks of the arguments of one op of `spatial` dimensions.
struct Checks {
  const char* op;
  int spatial;

  std::string text(Pair p) const { return detail::to_text(spatial == 2 ? Shape{p.height, p.width} : Shape{p.width}); }
  // Up to 2^31, so that no size computed from these overflows.
  void range(const char* what, Pair got, std::int64_t least) const {
    constexpr std::int64_t most = std::int64_t{1} << 31U;
    if (std::min(got.height, got.width) < least || std::max(got.height, got.width) > most)
      fail(op, ": got ", what, " ", text(got), ", needs ", least, " to 2^31");
  }
  Pair image(const Tensor& x) const { return {spatial == 2 ? x.size(1) : 1, x.size(-2)}; }
  Pair kernel(const Tensor& w) const { return {spatial == 2 ? w.size(0) : 1, w.size(-3)}; }

  void operands(const Tensor& x, const Tensor& w, const char* layout) const {
    detail::check_same_dtype(op, x, w);
    detail::check_floating(op, x);
    if (x.rank() != spatial + 2 || w.rank() != spatial + 2)
      fail(op, ": got x ", x.shape(), " and w ", w.shape(), ", needs ",
           spatial == 2 ? "{batch, height, width, in} and {kernel_h, kernel_w, " : "{batch, length, in} and {kernel, ",
           layout, "}");
  }
  // The sizes but for those of the images; `in` and `out` channels are the convolution's, a transposed one's swapped.
  ConvShape sizes(const Tensor& x, const Tensor& w, std::int64_t in, const ConvOptions& o, const char* layout) const {
    range("stride", o.stride, 1);
    range("padding", o.padding, 0);
    range("dilation", o.dilation, 1);
    if (o.groups < 1) fail(op, ": got ", o.groups, " groups, needs at least 1");
    const std::int64_t out = w.size(-1);
    if (in % o.groups != 0 || out % o.groups != 0 || w.size(-2) != in / o.groups)
      fail(op, ": got x ", x.shape(), ", w ", w.shape(), " and ", o.groups, " groups, needs w {",
           spatial == 2 ? "kernel_h, kernel_w, " : "kernel, ", layout, "} with in and out multiples of groups");
    const Pair taps = kernel(w);
    return {.n = x.size(0),
            .cin = in,
            .kh = taps.height,
            .kw = taps.width,
            .cout = out,
            .stride_h = o.stride.height,
            .stride_w = o.stride.width,
            .pad_h = o.padding.height,
            .pad_w = o.padding.width,
            .dil_h = o.dilation.height,
            .dil_w = o.dilation.width,
            .groups = o.groups,
            .fast = conv_precision() == ConvPrecision::fast};
  }

  ConvShape forward(const Tensor& x, const Tensor& w, const ConvOptions& o) const {
    constexpr const char* layout = "in / groups, out";
    operands(x, w, layout);
    ConvShape s = sizes(x, w, x.size(-1), o, layout);
    const Pair pixels = image(x);
    s.h = pixels.height;
    s.w = pixels.width;
    if (s.kh >= 1 && s.kw >= 1) s.set_output();
    if (s.oh < 1 || s.ow < 1)
      fail(op, ": got x ", x.shape(), ", w ", w.shape(), " and padding ", text(o.padding),
           ", needs a kernel that is not empty and fits the padded image");
    return s;
  }

  // Of the convolution whose input the result has the shape of; x has that of its output.
  ConvShape transposed(const Tensor& x, const Tensor& w, const ConvTransposeOptions& o) const {
    constexpr const char* layout = "out / groups, in";
    operands(x, w, layout);
    if (w.size(-1) != x.size(-1))
      fail(op, ": got x ", x.shape(), " and w ", w.shape(), ", needs w with a last axis of ", x.size(-1));
    ConvShape s = sizes(x, w, w.size(-2) * o.groups,
                        {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups}, layout);
    const Pair pixels = image(x), extra = o.output_padding;
    range("an image", pixels, 1);
    range("a kernel", kernel(w), 1);
    if (std::min(extra.height, extra.width) < 0 || extra.height >= s.stride_h || extra.width >= s.stride_w)
      fail(op, ": got output_padding ", text(extra), " and stride ", text(o.stride),
           ", needs 0 or more and less than the stride");
    s.h = (pixels.height - 1) * s.stride_h - 2 * s.pad_h + s.dil_h * (s.kh - 1) + extra.height + 1;
    s.w = (pixels.width - 1) * s.stride_w - 2 * s.pad_w + s.dil_w * (s.kw - 1) + extra.width + 1;
    if (s.h < 1 || s.w < 1)
      fail(op, ": got x ", x.shape(), ", w ", w.shape(), " and padding ", text(o.padding),
           ", needs padding that leaves at least one pixel");
    s.oh = pixels.height;
    s.ow = pixels.width;
    return s;
  }
};

// Height 1, and no step along it.
ConvOptions as_images(const ConvOptions1d& o) {
  return {.stride = {1, o.stride}, .padding = {0, o.padding}, .dilation = {1, o.dilation}, .groups = o.groups};
}
ConvTransposeOptions as_images(const ConvTransposeOptions1d& o) {
  return {.stride = {1, o.stride},
          .padding = {0, o.padding},
          .output_padding = {0, o.output_padding},
          .dilation = {1, o.dilation},
          .groups = o.groups};
}

}  // namespace

namespace {
std::atomic<ConvPrecision> precision_of_all{ConvPrecision::fast};
}  // namespace

void set_conv_precision(ConvPrecision precision) { precision_of_all = precision; }

ConvPrecision conv_precision() { return precision_of_all; }

Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options) {
  return convolve(x, w, Checks{"conv2d", 2}.forward(x, w, options));
}

Tensor conv1d(const Tensor& x, const Tensor& w, const ConvOptions1d& options) {
  return apply(Conv1d{{Checks{"conv1d", 1}.forward(x, w, as_images(options))}}, x, w);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const ConvTransposeOptions& options) {
  return apply(ConvTranspose2d{{Checks{"conv_transpose2d", 2}.transposed(x, w, options)}}, x, w);
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& w, const ConvTransposeOptions1d& options) {
  return apply(ConvTranspose1d{{Checks{"conv_transpose1d", 1}.transposed(x, w, as_images(options))}}, x, w);
}

}  // namespace weft

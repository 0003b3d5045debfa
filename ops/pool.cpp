#include <weft/ops/pool.hpp>

#include <algorithm>
#include <limits>

#include <weft/engine/detail/parallel.hpp>
#include <weft/engine/op.hpp>
#include <weft/ops/kernels/pool/pool.hpp>

namespace weft {
namespace {

using detail::data_of;
using detail::make_tensor;
using detail::mutable_data_of;
using detail::PoolShape;
using detail::Position;

Shape input_shape(const PoolShape& s) { return {s.batch, s.in_h, s.in_w, s.channels}; }
Shape output_shape(const PoolShape& s) { return {s.batch, s.out_h, s.out_w, s.channels}; }
Fields described(const PoolShape& s) {
  using Sizes = std::vector<std::int64_t>;
  return {{"kernel", Sizes{s.kernel_h, s.kernel_w}},
          {"stride", Sizes{s.stride_h, s.stride_w}},
          {"padding", Sizes{s.pad_h, s.pad_w}}};
}

// Adds each output's gradient at its window's winner; MaxPoolPick is its transpose.
Tensor spread(const Tensor& g, const Tensor& positions, const PoolShape& s);
// Takes the value at each window's winner.
Tensor pick(const Tensor& x, const Tensor& positions, const PoolShape& s);

struct MaxPool2d {
  static constexpr const char* name = "max_pool2d";
  PoolShape s;

  Tensor forward(Context& ctx, const Tensor& x) const {
    Tensor y = make_tensor(name, output_shape(s), x.dtype());
    const bool keep = ctx.needs(0);
    Tensor positions;
    if (keep) positions = make_tensor(name, {y.size(), sizeof(Position)}, u8);  // as bytes: no dtype is an int32
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::max_pool2d(data_of<T>(x), mutable_data_of<T>(y), keep ? mutable_data_of<Position>(positions) : nullptr,
                         s);
    });
    if (keep) ctx.save(positions);
    return y;
  }
  Tensor backward(Context& ctx, const Tensor& g) const { return spread(g, ctx.saved(0), s); }
  Fields describe() const { return described(s); }
};

struct MaxPoolSpread {
  static constexpr const char* name = "max_pool2d_backward";
  PoolShape s;

  Tensor forward(Context& ctx, const Tensor& g, const Tensor& positions) const {
    Tensor gx = make_tensor(name, input_shape(s), g.dtype());
    detail::visit_floating(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::max_pool2d_backward(data_of<T>(g), data_of<Position>(positions), mutable_data_of<T>(gx), s);
    });
    ctx.save(positions);
    return gx;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const { return {pick(g, ctx.saved(0), s), Tensor()}; }
  Fields describe() const { return described(s); }
};

struct MaxPoolPick {
  static constexpr const char* name = "max_pool2d_pick";
  PoolShape s;

  Tensor forward(Context& ctx, const Tensor& x, const Tensor& positions) const {
    Tensor y = make_tensor(name, output_shape(s), x.dtype());
    const std::int64_t windows = s.out_h * s.out_w, pixels = s.in_h * s.in_w;
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::parallel_for(s.batch, detail::grain_for(windows * s.channels), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin * windows; row < end * windows; ++row) {
          const T* image = data_of<T>(x) + row / windows * pixels * s.channels;
          const Position* at = data_of<Position>(positions) + row * s.channels;
          T* to = mutable_data_of<T>(y) + row * s.channels;
          for (std::int64_t c = 0; c < s.channels; ++c) to[c] = image[at[c] * s.channels + c];
        }
      });
    });
    ctx.save(positions);
    return y;
  }
  std::array<Tensor, 2> backward(Context& ctx, const Tensor& g) const { return {spread(g, ctx.saved(0), s), Tensor()}; }
  Fields describe() const { return described(s); }
};

Tensor spread(const Tensor& g, const Tensor& positions, const PoolShape& s) {
  return apply(MaxPoolSpread{s}, g, positions);
}
Tensor pick(const Tensor& x, const Tensor& positions, const PoolShape& s) {
  return apply(MaxPoolPick{s}, x, positions);
}

// Linear maps: the gradient of each is the other.
Tensor average(const Tensor& x, const PoolShape& s);
Tensor average_backward(const Tensor& g, const PoolShape& s);

struct AvgPool2d {
  static constexpr const char* name = "avg_pool2d";
  PoolShape s;

  Tensor forward(Context&, const Tensor& x) const {
    Tensor y = make_tensor(name, output_shape(s), x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::avg_pool2d(data_of<T>(x), mutable_data_of<T>(y), s);
    });
    return y;
  }
  Tensor backward(Context&, const Tensor& g) const { return average_backward(g, s); }
  Fields describe() const { return described(s); }
};

struct AvgPool2dBackward {
  static constexpr const char* name = "avg_pool2d_backward";
  PoolShape s;

  Tensor forward(Context&, const Tensor& g) const {
    Tensor gx = make_tensor(name, input_shape(s), g.dtype());
    detail::visit_floating(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::avg_pool2d_backward(data_of<T>(g), mutable_data_of<T>(gx), s);
    });
    return gx;
  }
  Tensor backward(Context&, const Tensor& g) const { return average(g, s); }
  Fields describe() const { return described(s); }
};

Tensor average(const Tensor& x, const PoolShape& s) { return apply(AvgPool2d{s}, x); }
Tensor average_backward(const Tensor& g, const PoolShape& s) { return apply(AvgPool2dBackward{s}, g); }

struct GlobalAvgPool {
  static constexpr const char* name = "global_avg_pool";

  static Tensor forward(Context&, const Tensor& x) {
    const Shape& shape = x.shape();
    Tensor y = make_tensor(name, {shape[0], shape[3]}, x.dtype());
    detail::visit_floating(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::global_avg_pool(data_of<T>(x), mutable_data_of<T>(y), shape[0], shape[1] * shape[2], shape[3]);
    });
    return y;
  }
  static Tensor backward(Context& ctx, const Tensor& g);
};

struct GlobalAvgPoolBackward {
  static constexpr const char* name = "global_avg_pool_backward";
  std::int64_t height, width;

  Tensor forward(Context&, const Tensor& g) const {
    Tensor gx = make_tensor(name, {g.size(0), height, width, g.size(1)}, g.dtype());
    detail::visit_floating(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      detail::global_avg_pool_backward(data_of<T>(g), mutable_data_of<T>(gx), g.size(0), height * width, g.size(1));
    });
    return gx;
  }
  static Tensor backward(Context&, const Tensor& g) { return apply(GlobalAvgPool{}, g); }
  Fields describe() const { return {{"height", height}, {"width", width}}; }
};

Tensor GlobalAvgPool::backward(Context& ctx, const Tensor& g) {
  const Shape shape = ctx.shape(0);
  return apply(GlobalAvgPoolBackward{shape[1], shape[2]}, g);
}

void check_image(const char* op, const Tensor& x) {
  detail::check_floating(op, x);
  if (x.rank() != 4) fail(op, ": got shape ", x.shape(), ", needs {batch, height, width, channels}");
}

PoolShape checked_shape(const char* op, const Tensor& x, const PoolOptions& o) {
  check_image(op, x);
  const Pair kernel = o.kernel, stride = o.stride.value_or(o.kernel), padding = o.padding;
  constexpr std::int64_t most = std::int64_t{1} << 31U;  // no size computed from these overflows
  const auto [least, greatest] = std::minmax({kernel.height, kernel.width, stride.height, stride.width});
  if (least < 1 || greatest > most)
    fail(op, ": got kernel {", kernel.height, ", ", kernel.width, "} and stride {", stride.height, ", ", stride.width,
         "}, needs 1 to 2^31");
  if (padding.height < 0 || padding.width < 0 || 2 * padding.height > kernel.height || 2 * padding.width > kernel.width)
    fail(op, ": got padding {", padding.height, ", ", padding.width, "}, needs at most half the kernel {",
         kernel.height, ", ", kernel.width, "} and at least 0");
  const std::int64_t h = x.size(1), w = x.size(2);
  const std::int64_t room_h = h + 2 * padding.height - kernel.height, room_w = w + 2 * padding.width - kernel.width;
  if (h < 1 || w < 1 || room_h < 0 || room_w < 0)
    fail(op, ": got shape ", x.shape(), " and kernel {", kernel.height, ", ", kernel.width,
         "}, needs an image that holds the kernel");
  return {x.size(0),
          h,
          w,
          x.size(3),
          room_h / stride.height + 1,
          room_w / stride.width + 1,
          kernel.height,
          kernel.width,
          stride.height,
          stride.width,
          padding.height,
          padding.width};
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolOptions& options) {
  const PoolShape s = checked_shape("max_pool2d", x, options);
  if (s.in_h * s.in_w > std::numeric_limits<Position>::max())
    fail("max_pool2d: got shape ", x.shape(), ", needs fewer than 2^31 pixels an image");
  return apply(MaxPool2d{s}, x);
}

Tensor avg_pool2d(const Tensor& x, const PoolOptions& options) {
  return average(x, checked_shape("avg_pool2d", x, options));
}

Tensor global_avg_pool(const Tensor& x) {
  check_image("global_avg_pool", x);
  if (x.size(1) == 0 || x.size(2) == 0) fail("global_avg_pool: got shape ", x.shape(), ", needs at least one pixel");
  return apply(GlobalAvgPool{}, x);
}

}  // namespace weft
